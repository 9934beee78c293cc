"""Clients that mean harm, or are just too many: a real server, a fake model."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fake_chat import FakeChat
from served_page import serving

from ui.lane import MAX_WAITING
from ui.session import Sessions

_MAX_DISK = 5_000_000
_CLIENTS = 50


@pytest.fixture(scope="module")
def chat() -> FakeChat:
    return FakeChat()


@pytest.fixture(scope="module")
def page(
    chat: FakeChat, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, Sessions]]:
    root = tmp_path_factory.mktemp("root")
    with (
        serving(chat, root, max_file_size="1mb", max_disk_bytes=_MAX_DISK) as (url, s),
        httpx.Client(base_url=url, trust_env=False, timeout=60) as web,
    ):
        yield web, s


def upload(web: httpx.Client, content: bytes, name: str = "a.mp4") -> httpx.Response:
    return web.post("/gradio_api/upload", files={"files": (name, content)})


def describe(web: httpx.Client, path: str, question: str) -> str:
    """The last event of an answer."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    body = json.dumps({"data": [file, question]})
    json_sent = {"content-type": "application/json"}
    asked = web.post("/gradio_api/call/describe", content=body, headers=json_sent)
    event = asked.json()["event_id"]
    return web.get(f"/gradio_api/call/describe/{event}").text.rstrip().split("\n\n")[-1]


@pytest.mark.parametrize(
    ("site", "refused"),
    [("cross-site", True), ("same-site", True), ("same-origin", False)],
)
def test_other_sites_can_not_make_the_browser_ask(
    page: tuple[httpx.Client, Sessions], site: str, refused: bool
) -> None:
    web, headers = page[0], {"Sec-Fetch-Site": site}
    body = json.dumps({"data": [None, "x"]})
    sent = web.post("/gradio_api/call/describe", content=body, headers=headers)
    assert (sent.status_code == 403) is refused
    # A link on another site still opens the page.
    assert web.get("/", headers=headers).status_code == 200


def test_a_huge_upload_is_refused_and_leaves_nothing(
    page: tuple[httpx.Client, Sessions],
) -> None:
    web, sessions = page
    before = {path for path in sessions.root.rglob("*") if path.is_file()}
    assert upload(web, b"x" * 1_050_000).status_code == 413  # By Gradio's own count.
    large = upload(web, b"x" * 1_200_000)
    assert (large.status_code, "larger than" in large.text) == (413, True)
    endless = web.post(
        "/gradio_api/upload",
        content=iter([b"x"]),
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert endless.status_code == 411
    assert {path for path in sessions.root.rglob("*") if path.is_file()} == before


def announced(web: httpx.Client, path: str, length: str) -> int:
    """The status of an upload of which nothing but its head is sent."""
    address = (web.base_url.host, web.base_url.port or 80)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n"
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(f"{head}Content-Type: text/plain\r\n\r\n".encode())
        return int(client.recv(4096).split()[1])


def left_answer(sessions: Sessions, size: int) -> Path:
    """An answer that a closed tab left."""
    session = sessions.get("left")
    session.is_page = True
    run = session.new_run()
    (run.folder / "clip.mp4").write_bytes(b"x" * size)
    session.keep(run)
    sessions.leave("left")
    return run.folder


def test_no_upload_takes_answers_away_in_vain(
    page: tuple[httpx.Client, Sessions],
) -> None:
    web, sessions = page
    kept = left_answer(sessions, 1000)
    for length in ("1500000", "999999999999999"):
        assert announced(web, "/gradio_api/upload", length) == 413
    assert announced(web, "/x/upload", "1000000") in (404, 405)
    # It is allowed, but all that could go is not enough for it.
    filler = left_filler(sessions)
    full = upload(web, b"x" * 1_000_000)
    assert (full.status_code, "no room" in full.text) == (507, True)
    filler.unlink()
    assert kept.is_dir()
    sessions.end("left")


def left_filler(sessions: Sessions) -> Path:
    """What takes almost all room and may not go: it just came."""
    folder = sessions.root / "filler"
    folder.mkdir(exist_ok=True)
    path = folder / "a.mp4"
    path.write_bytes(b"x" * _MAX_DISK)
    return path


def test_without_the_login_nothing_makes_room(tmp_path: Path, clip: Path) -> None:
    login = ("u", "p")
    with (
        serving(FakeChat(), tmp_path, auth=(login,), max_disk_bytes=12_000_000) as (
            url,
            sessions,
        ),
        httpx.Client(base_url=url, trust_env=False, timeout=60) as web,
    ):
        kept = left_answer(sessions, 10_000_000)
        assert announced(web, "/gradio_api/upload", "8000000") == 401
        assert kept.is_dir()
        logged = web.post("/login", data={"username": "u", "password": "p"})
        assert logged.status_code == 200
        assert upload(web, b"x" * 8_000_000).status_code == 200
        assert not kept.exists()


@pytest.mark.parametrize(
    "name", ["../../x.mp4", "/etc/x.mp4", "..\\..\\x.mp4", "a\0b.mp4", "é" * 300]
)
def test_a_name_leads_nowhere(page: tuple[httpx.Client, Sessions], name: str) -> None:
    web, sessions = page
    answer = upload(web, b"x", name)
    if answer.status_code == 200:
        [path] = answer.json()
        assert Path(path).resolve().is_relative_to(sessions.root)
        assert Path(path).is_file()
    else:
        assert answer.status_code in (400, 500)
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("endpoint", ["ground", "describe", "private"])
def test_no_file_is_fetched_for_a_program(
    page: tuple[httpx.Client, Sessions],
    monkeypatch: pytest.MonkeyPatch,
    endpoint: str,
) -> None:
    web, sessions = page
    asked: list[str] = []

    async def fetch(url: str, cache_dir: str) -> str:
        asked.append(url)
        return str(sessions.root / "fetched.mp4")

    monkeypatch.setattr("gradio.processing_utils.async_ssrf_protected_download", fetch)
    file = {
        "path": "https://videos.example.org/x.mp4",
        "meta": {"_type": "gradio.FileData"},
    }
    if endpoint == "private":
        config = web.get("/config").json()
        names = [each["api_name"] for each in config["dependencies"]]
        # Any control will do: Gradio looks for files in all that it is sent.
        body = {
            "data": [[{"deep": file}], "ground", None],
            "fn_index": names.index("question_left"),
        }
        said = web.post("/gradio_api/run/predict", json=body)
        assert said.status_code == 500
        told = said.text
    else:
        asked_for = web.post(
            f"/gradio_api/call/{endpoint}", json={"data": [file, "a cat"]}
        )
        event = asked_for.json()["event_id"]
        told = web.get(f"/gradio_api/call/{endpoint}/{event}").text
        assert "event: error" in told
    assert not asked
    assert "address alone is not taken" in told


def test_half_a_character_breaks_no_answer(
    page: tuple[httpx.Client, Sessions], clip: Path
) -> None:
    [path] = upload(page[0], clip.read_bytes(), "kitchen.mp4").json()
    told = describe(page[0], path, "a \ud83d cat")
    assert "event: complete" in told and "a  cat" in told


def test_fifty_clients_take_turns_or_are_told(
    page: tuple[httpx.Client, Sessions], chat: FakeChat, clip: Path
) -> None:
    web = page[0]
    [path] = upload(web, clip.read_bytes(), "kitchen.mp4").json()
    chat.stage_seconds, chat.most_running, chat.asked[:] = 0.1, 0, []
    with ThreadPoolExecutor(_CLIENTS) as pool:
        ends = [*pool.map(lambda n: describe(web, path, f"no {n}"), range(_CLIENTS))]
    chat.stage_seconds = 0.0
    kinds = Counter(end.split("\n")[0] for end in ends)
    assert set(kinds) <= {"event: complete", "event: error"}
    assert kinds["event: complete"] >= MAX_WAITING + 1
    assert chat.most_running == 1 and len(chat.asked) == kinds["event: complete"]
    for number, end in enumerate(ends):
        if end.startswith("event: complete"):
            assert f"no {number}" in chat.asked
    # And the page is well.
    assert "event: complete" in describe(web, path, "after")
