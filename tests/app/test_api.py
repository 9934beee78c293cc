"""The endpoints for programs: what they are called, take and give."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_chat import DESCRIPTION, FakeChat
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from served_page import serving

from stablechat.video import probe
from ui.session import Sessions
from ui.tab import KEPT_PROGRAM_RUNS

DOCUMENT = Path(__file__).parents[2] / "docs" / "programs.md"


@pytest.fixture(scope="module")
def chat() -> FakeChat:
    return FakeChat()


@pytest.fixture(scope="module")
def page(
    chat: FakeChat, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Sessions]]:
    with serving(chat, tmp_path_factory.mktemp("root")) as running:
        yield running


@pytest.fixture
def client(page: tuple[str, Sessions], tmp_path: Path) -> Iterator[Client]:
    made = Client(page[0], verbose=False, download_files=str(tmp_path / "downloads"))
    yield made
    made.close()


def runs(sessions: Sessions) -> list[Path]:
    """Folders of runs that are kept."""
    return [
        run for tab in (sessions.root / "sessions").iterdir() for run in tab.iterdir()
    ]


def test_the_endpoints_are_documented(client: Client) -> None:
    info: dict[str, Any] = client.view_api(return_format="dict")
    assert set(info["named_endpoints"]) == {
        *("/ground", "/describe", "/ground_part", "/describe_part", "/captions")
    }
    assert info["unnamed_endpoints"] == {}

    def taken(endpoint: str) -> dict[str, Any]:
        parameters = info["named_endpoints"][endpoint]["parameters"]
        return {p["parameter_name"]: p.get("parameter_default") for p in parameters}

    ground = info["named_endpoints"]["/ground"]
    kinds = [p["python_type"]["type"] for p in ground["parameters"]]
    assert kinds == ["filepath", "str"]
    assert not any(p["parameter_has_default"] for p in ground["parameters"])
    assert [r["component"] for r in ground["returns"]] == ["File", "Json"]
    part = {"start": "", "end": ""}
    assert taken("/ground") == {"video": None, "query": None}
    assert taken("/ground_part") == {"video": None, "query": None, **part}
    describe = info["named_endpoints"]["/describe"]
    assert taken("/describe") == {"video": None, "question": ""}
    assert taken("/describe_part") == {"video": None, "question": "", **part}
    captions = info["named_endpoints"]["/captions"]
    usual = {"video": None, "question": "", "part_seconds": 20.0}
    assert taken("/captions") == {**usual, **part}
    both = (ground, describe, captions)
    labels = [part["label"] for e in both for part in e["parameters"]]
    assert all(label and not label.startswith("__i18n__") for label in labels)


def test_the_documents_example_works(
    page: tuple[str, Sessions],
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert "http://127.0.0.1:7860" in example
    monkeypatch.chdir(tmp_path)
    shutil.copy(clip, "clip.mp4")
    exec(example.replace("http://127.0.0.1:7860", page[0]), {})
    told = capsys.readouterr().out.splitlines()
    (found,) = [line for line in told if line.startswith("1.0 2.25 [176.0, 54.0")]
    assert probe(Path(found.split("] ")[-1])).codec == "h264"
    assert told[-1] == DESCRIPTION


def test_a_description_needs_no_question(client: Client, clip: Path) -> None:
    answer = client.predict(video=handle_file(str(clip)), api_name="/describe")
    assert answer["text"] == DESCRIPTION
    assert answer["video"]["name"] == "kitchen.mp4"
    assert "path" not in answer["video"]


def test_what_is_left_out_is_said_or_usual(client: Client, clip: Path) -> None:
    video = handle_file(str(clip))
    with pytest.raises(AppError, match="Type what"):
        client.predict(video, None, api_name="/ground")
    found, _ = client.predict(
        video, "the red circle", None, None, api_name="/ground_part"
    )
    assert found is not None


def test_an_uploaded_file_may_tell_its_address_here(
    page: tuple[str, Sessions], clip: Path
) -> None:
    with httpx.Client(base_url=page[0], trust_env=False, timeout=60) as web:
        files = {"files": ("kitchen.mp4", clip.read_bytes())}
        [path] = web.post("/gradio_api/upload", files=files).json()
        file = {
            "path": path,
            "url": f"{page[0]}/gradio_api/file={path}",
            "meta": {"_type": "gradio.FileData"},
        }
        asked = web.post("/gradio_api/call/describe", json={"data": [file, ""]}).json()
        told = web.get(f"/gradio_api/call/describe/{asked['event_id']}").text
    assert "event: complete" in told and DESCRIPTION in told


def test_captions_are_told_part_by_part(client: Client, clip: Path) -> None:
    answer = client.predict(
        video=handle_file(str(clip)), part_seconds=1, api_name="/captions"
    )
    assert [each["start_seconds"] for each in answer["captions"]] == [0, 1, 2]
    assert answer["captions"][1]["text"] == f"Part 2: {DESCRIPTION}"
    assert answer["video"]["name"] == "kitchen.mp4" and "path" not in answer["video"]
    with pytest.raises(AppError, match="more than 0 seconds"):
        client.predict(
            video=handle_file(str(clip)), part_seconds=-1, api_name="/captions"
        )


def test_nothing_found_has_no_clip(client: Client, clip: Path) -> None:
    found, answer = client.predict(
        handle_file(str(clip)), "missing", api_name="/ground"
    )
    assert found is None
    assert answer["span"] is None
    assert answer["issues"]


def test_stages_come_before_the_answer(
    page: tuple[str, Sessions], chat: FakeChat, clip: Path
) -> None:
    chat.stage_seconds = 0.4
    try:
        client = Client(page[0], verbose=False)
        job = client.submit(handle_file(str(clip)), "", api_name="/describe")
        told = list(job)
    finally:
        chat.stage_seconds = 0.0
    stages = [each["stage"] for each in told if "stage" in each]
    assert {"read", "encode", "answer"} <= set(stages)
    assert told[-1]["text"] == DESCRIPTION


def test_parts_are_counted_while_they_are_looked_at(
    page: tuple[str, Sessions], chat: FakeChat, clip: Path
) -> None:
    chat.stage_seconds = 0.4
    try:
        client = Client(page[0], verbose=False)
        job = client.submit(handle_file(str(clip)), "", 1, api_name="/captions")
        told = [each for each in job if "parts" in each]
    finally:
        chat.stage_seconds = 0.0
    assert {(each["part"], each["parts"]) for each in told} == {(1, 3)}
    assert {each["remaining_seconds"] for each in told} == {70.0}


@pytest.mark.parametrize("query", ["", "   ", "x " * 2000])
def test_a_refusal_is_the_pages_line(client: Client, clip: Path, query: str) -> None:
    with pytest.raises(AppError) as refused:
        client.predict(handle_file(str(clip)), query, api_name="/ground")
    assert "question" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_video_is_refused(client: Client, tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("This is no video.\n" * 50)
    with pytest.raises(AppError, match="is not a video that can be read"):
        client.predict(handle_file(str(text)), "it", api_name="/ground")


def forge(url: str, path: Path | str) -> str:
    """Ask about a path that was never uploaded, as no client of Gradio's would."""
    forged = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as web:
        asked = web.post("/gradio_api/call/ground", json={"data": [forged, "it"]})
        if asked.status_code != 200:
            return "event: error"
        return web.get(f"/gradio_api/call/ground/{asked.json()['event_id']}").text


def test_a_file_of_the_machine_is_not_read(
    page: tuple[str, Sessions], chat: FakeChat, clip: Path
) -> None:
    asked = len(chat.asked)
    for path in (clip, "/etc/passwd", "../../etc/passwd"):
        told = forge(page[0], path)
        assert "event: error" in told
        assert "event: complete" not in told
    assert len(chat.asked) == asked


def test_another_programs_result_is_no_video_of_mine(
    page: tuple[str, Sessions], client: Client, chat: FakeChat, clip: Path
) -> None:
    client.predict(handle_file(str(clip)), "it", api_name="/ground")
    results = [f for run in runs(page[1]) for f in run.glob("kitchen_clip.mp4")]
    asked = len(chat.asked)
    assert results
    for result in results:
        assert "event: error" in forge(page[0], result)
    assert len(chat.asked) == asked


def test_a_stopped_question_frees_the_model(
    page: tuple[str, Sessions], chat: FakeChat, clip: Path
) -> None:
    client = Client(page[0], verbose=False)
    job = client.submit(handle_file(str(clip)), "slow", api_name="/ground")
    _wait(lambda: chat.running == 1)
    job.cancel()
    _wait(lambda: chat.running == 0)
    answer = client.predict(handle_file(str(clip)), "", api_name="/describe")
    assert answer["text"] == DESCRIPTION
    client.close()


def test_a_programs_files_are_few_and_go_with_it(
    page: tuple[str, Sessions], clip: Path
) -> None:
    _, sessions = page
    before = set(runs(sessions))
    client = Client(page[0], verbose=False)
    for _ in range(KEPT_PROGRAM_RUNS + 2):
        client.predict(handle_file(str(clip)), "it", api_name="/ground")
    mine = set(runs(sessions)) - before
    assert len(mine) == KEPT_PROGRAM_RUNS
    client.close()
    _wait(lambda: not any(os.path.exists(run) for run in mine))


def _wait(happened: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
