"""The MCP server, as an agent uses it: a real client, the real page, a fake model."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from fake_chat import DESCRIPTION, FakeChat
from served_page import serving

from stablechat.video import probe
from ui import mcp_server

if find_spec("mcp") is None:
    pytest.skip("needs requirements-mcp.txt", allow_module_level=True)

from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def chat() -> FakeChat:
    return FakeChat()


@pytest.fixture(scope="module")
def url(chat: FakeChat, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(chat, tmp_path_factory.mktemp("root")) as (address, _):
        yield address


def talk(
    work: Callable[[ClientSession], Awaitable[Any]], *arguments: str | Path
) -> Any:
    """Start the server as an agent does, and talk to it."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "ui.mcp_server", *map(str, arguments)],
        cwd=ROOT,
        env=dict(os.environ),
    )

    async def run() -> Any:
        async with (
            stdio_client(server) as streams,
            ClientSession(
                *streams, read_timeout_seconds=timedelta(seconds=60)
            ) as session,
        ):
            await session.initialize()
            return await work(session)

    return asyncio.run(run())


def call(url: str, out: Path, tool: str, **arguments: Any) -> types.CallToolResult:
    result: types.CallToolResult = talk(
        lambda session: session.call_tool(tool, arguments), "--out", out, "--url", url
    )
    return result


def words(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


def test_tools_are_typed(url: str, tmp_path: Path) -> None:
    told = talk(lambda session: session.list_tools(), "--out", tmp_path, "--url", url)
    tools = {tool.name: tool for tool in told.tools}
    assert set(tools) == {"ground", "describe", "captions"}
    ground = tools["ground"]
    part = {"look_from_seconds", "look_to_seconds"}
    assert set(ground.inputSchema["properties"]) == {"video", "query", *part}
    assert ground.inputSchema["required"] == ["video", "query"]
    assert all(p["description"] for p in ground.inputSchema["properties"].values())
    assert set(ground.outputSchema["properties"]) == {
        *("found", "start_seconds", "end_seconds", "confidence"),
        *("is_guess", "model_calls_it"),
        *("boxes", "clip", "text", "issues"),
    }
    assert tools["describe"].inputSchema["required"] == ["video"]
    assert tools["captions"].inputSchema["required"] == ["video"]
    assert ground.description.startswith("Find when something happens")


def test_an_agent_finds_a_moment(url: str, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "clips"
    result = call(url, out, "ground", video=str(clip), query="the box")
    assert not result.isError
    found = result.structuredContent
    assert found is not None
    assert (found["found"], found["start_seconds"], found["end_seconds"]) == (
        True,
        1.0,
        2.25,
    )
    assert found["boxes"][0]["xyxy"] == [176.0, 54.0, 256.0, 126.0]
    assert (found["is_guess"], found["model_calls_it"]) == (False, "the box")
    assert found["clip"] == str(out / "kitchen_clip.mp4")
    assert probe(Path(found["clip"])).has_audio
    again = call(url, out, "ground", video=str(clip), query="the box")
    assert again.structuredContent is not None
    assert again.structuredContent["clip"] == str(out / "kitchen_clip_2.mp4")
    assert sorted(os.listdir(out)) == ["kitchen_clip.mp4", "kitchen_clip_2.mp4"]


def test_an_agent_gets_a_description(url: str, clip: Path, tmp_path: Path) -> None:
    result = call(url, tmp_path, "describe", video=str(clip))
    assert result.structuredContent == {"text": DESCRIPTION, "issues": []}


def test_an_agent_asks_about_a_part(url: str, clip: Path, tmp_path: Path) -> None:
    part = {"look_from_seconds": 0.5, "look_to_seconds": 2.5}
    asked: dict[str, Any] = {"video": str(clip), **part}
    found = call(url, tmp_path, "ground", query="the box", **asked)
    assert not found.isError
    assert not call(url, tmp_path, "describe", **asked).isError
    told = call(url, tmp_path, "captions", part_seconds=1, **asked).structuredContent
    assert told is not None
    assert [each["start_seconds"] for each in told["parts"]] == [0.5, 1.5]
    late = call(url, tmp_path, "describe", **{**asked, "look_from_seconds": 9})
    assert late.isError and "ends at 0:03.000" in late.content[0].text


def test_an_agent_is_told_part_by_part(url: str, clip: Path, tmp_path: Path) -> None:
    result = call(url, tmp_path, "captions", video=str(clip), part_seconds=2)
    assert result.structuredContent == {
        "parts": [
            {
                "start_seconds": 0.0,
                "end_seconds": 2.0,
                "text": f"Part 1: {DESCRIPTION}",
            },
            {
                "start_seconds": 2.0,
                "end_seconds": 3.0,
                "text": f"Part 2: {DESCRIPTION}",
            },
        ],
        "issues": [],
    }


def test_nothing_found_is_said(url: str, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "clips"
    result = call(url, out, "ground", video=str(clip), query="missing")
    found = result.structuredContent
    assert found is not None
    assert (found["found"], found["clip"], found["boxes"]) == (False, None, [])
    assert found["issues"]
    assert not out.exists()


@pytest.mark.parametrize(
    ("video", "query", "said"),
    [
        ("{tmp}/missing.mp4", "it", "There is no file"),
        ("{tmp}", "it", "There is no file"),
        ("{tmp}/notes.mp4", "it", "is not a video that can be read"),
        ("{clip}", " ", "question is empty"),
        ("{clip}", "boom", "Something went wrong"),
    ],
)
def test_what_is_wrong_is_told(
    url: str, clip: Path, tmp_path: Path, video: str, query: str, said: str
) -> None:
    (tmp_path / "notes.mp4").write_text("This is no video.\n" * 50)
    path = video.format(tmp=tmp_path, clip=clip)
    result = call(url, tmp_path / "out", "ground", video=path, query=query)
    assert result.isError
    assert said in words(result)
    assert "Traceback" not in words(result)


def test_a_page_that_is_not_there(clip: Path, tmp_path: Path) -> None:
    result = call("http://127.0.0.1:9", tmp_path, "describe", video=str(clip))
    assert result.isError
    assert "start it with python app.py" in words(result)


def test_progress_is_reported(
    url: str, chat: FakeChat, clip: Path, tmp_path: Path
) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def work(session: ClientSession) -> None:
        async def tell(done: float, total: float | None, message: str | None) -> None:
            told.append((done, total, message))

        arguments = {"video": str(clip)}
        await session.call_tool("describe", arguments, progress_callback=tell)

    chat.stage_seconds = 0.8
    try:
        talk(work, "--out", tmp_path, "--url", url)
    finally:
        chat.stage_seconds = 0.0
    done = [each[0] for each in told]
    assert done == sorted(done)
    assert {each[2] for each in told} >= {"read", "encode", "answer"}
    assert {each[1] for each in told} == {4}


def test_a_cancelled_call_frees_the_model(
    url: str, chat: FakeChat, clip: Path, tmp_path: Path
) -> None:
    async def work(session: ClientSession) -> None:
        arguments = {"video": str(clip), "query": "slow"}
        asked = asyncio.create_task(session.call_tool("ground", arguments))
        await _until(lambda: chat.running == 1)
        number = session._request_id - 1
        await session.send_notification(
            types.ClientNotification(
                types.CancelledNotification(
                    params=types.CancelledNotificationParams(requestId=number)
                )
            )
        )
        await _until(lambda: chat.running == 0)
        asked.cancel()
        answer = await session.call_tool("describe", {"video": str(clip)})
        assert answer.structuredContent is not None

    talk(work, "--out", tmp_path, "--url", url)


def test_a_page_with_a_login(clip: Path, tmp_path: Path) -> None:
    logins = tmp_path / "logins"
    logins.write_text("ann:secret\n")
    with serving(FakeChat(), tmp_path, (("ann", "secret"),)) as (address, _):
        asked = {"video": str(clip)}
        arguments = ("--out", tmp_path, "--url", address)
        refused = talk(lambda s: s.call_tool("describe", asked), *arguments)
        assert refused.isError
        let_in = talk(
            lambda s: s.call_tool("describe", asked), *arguments, "--auth", logins
        )
        assert let_in.structuredContent["text"] == DESCRIPTION


def test_help_and_bad_arguments_load_nothing(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from ui import mcp_server\n"
        "try: mcp_server.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('gradio', 'gradio_client', 'mcp') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_the_package_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mcp_server, "find_spec", lambda _: None)
    assert mcp_server.main(["--out", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install -r requirements-mcp.txt" in line


async def _until(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)
