"""The HTTP API, with stand-ins for the models and the renderers."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import golden_files
import pytest
from serving_fakes import FakeModels, answer_of, settings_in
from starlette.testclient import TestClient

from render.exports import grounding_to_dict, without_folders
from serving.api import Api, build_api
from serving.drain import Drain, DrainingError
from serving.health import health_routes
from serving.messages import DeadlineError
from serving.renderer import ClipOrder
from serving.settings import Settings
from stablechat.errors import (
    CancelledError,
    EngineError,
    OutOfMemoryError,
    StableChatError,
    VideoError,
)
from ui.lane import BusyError


class FakeRenderers:
    """Puts a file on the shelf of clips.

    Args:
        settings: Of the server.
    """

    def __init__(self, settings: Settings) -> None:
        self.orders: list[ClipOrder] = []
        self._settings = settings

    async def draw(self, order: ClipOrder, request_id: str) -> str:
        """Cut a clip."""
        self.orders.append(order)
        clips = self._settings.clips()
        with clips.coming(4) as path:
            path.write_bytes(b"clip")
            clips.add(path, "c" * 32)
        return "c" * 32


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 seconds, 96x64."""
    return golden_files.write_clip(tmp_path_factory.mktemp("clips") / "square.mp4")


class Served:
    """An API with its stand-ins.

    Args:
        folder: Of the server.
        error: What the models raise.
        changes: Of the settings.
    """

    def __init__(
        self, folder: Path, error: Exception | None = None, **changes: Any
    ) -> None:
        self.settings = settings_in(folder, **changes)
        self.models = FakeModels(self.settings, error)
        self.renderers = FakeRenderers(self.settings)
        self.drain = Drain(folder)
        self.why_not: str | None = None
        api: Any = Api(
            self.settings,
            self.models,  # type: ignore[arg-type]
            self.renderers,  # type: ignore[arg-type]
        )
        health = health_routes(self.drain, self._why_not, self._scraped)
        app = build_api(api, self.settings, health)
        self.client = TestClient(app, raise_server_exceptions=False)

    async def _why_not(self) -> str | None:
        return self.why_not

    async def _scraped(self) -> str:
        return "ray_stablechat_questions_total 1.0\n"

    def left(self) -> int:
        """Bytes of all that is kept."""
        return self.settings.videos().used_bytes()


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts an API with an error of the models, or with changed settings."""
    yield lambda error=None, **changes: Served(tmp_path, error, **changes)


def post(served: Served, where: str, clip: Path, **more: Any) -> Any:
    headers = {"content-type": "video/mp4", **more.pop("headers", {})}
    return served.client.post(where, content=clip.read_bytes(), headers=headers)


def test_a_video_and_a_question(serve: Serve, clip: Path) -> None:
    served = serve()
    answer = post(served, "/ground?query=the+square&name=a.mp4", clip)
    assert answer.status_code == 200, answer.text
    digest = hashlib.sha256(clip.read_bytes()).hexdigest()
    assert answer.headers["x-video"] == digest
    wanted = without_folders(grounding_to_dict(answer_of(clip, "the square")))
    assert answer.json() == {**wanted, "video": {**wanted["video"], "path": "a.mp4"}}
    (asked,) = served.models.asked
    assert (asked.video, asked.query, asked.task) == (digest, "the square", "stvg")


def test_a_question_that_runs_is_finished_when_the_server_ends(
    serve: Serve, clip: Path
) -> None:
    served = serve()

    async def end() -> None:
        assert not served.drain.finish(0)

    served.models._wait = end
    answer = post(served, "/ground?query=the+square&clip=true", clip)
    assert answer.status_code == 200 and answer.json()["files"], answer.text
    assert served.drain.finish(0)
    assert post(served, "/ground?query=the+square", clip).status_code == 503


def test_a_video_that_was_sent_before(serve: Serve, clip: Path) -> None:
    served = serve()
    video = post(served, "/videos", clip).json()["video"]
    told = {"video": video, "query": "the square", "clip": True}
    answer = served.client.post("/ground", json=told)
    assert answer.json()["files"] == {"clip": f"/v1/clips/{'c' * 32}"}
    got = served.client.get(f"/clips/{'c' * 32}")
    assert got.content == b"clip" and got.headers["content-type"] == "video/mp4"
    assert served.client.get("/clips/" + "d" * 32).status_code == 404
    described = served.client.post("/describe", json={"video": video})
    assert described.json()["text"] == "A circle."
    assert served.client.post("/ground", json={**told, "video": "0" * 64}).json() == {
        "error": "There is no such video here; send it."
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (VideoError("{name} is damaged.", name="NAME"), 400),
        (BusyError("Too many."), 503),
        (DrainingError("Later."), 503),
        (EngineError("Gone."), 503),
        (OutOfMemoryError("Too large."), 503),
        (DeadlineError("Late."), 504),
        (CancelledError("Stopped."), 499),
        (StableChatError("Odd."), 500),
    ],
)
def test_what_goes_wrong_is_one_plain_line(
    serve: Serve, clip: Path, error: StableChatError, status: int
) -> None:
    answer = post(serve(error), "/ground?query=it&name=a.mp4", clip)
    assert answer.status_code == status and answer.json() == {"error": str(error)}
    assert ("retry-after" in answer.headers) == (status == 503)


def test_an_error_names_the_file_as_the_program_does(serve: Serve, clip: Path) -> None:
    digest = hashlib.sha256(clip.read_bytes()).hexdigest()
    error = VideoError("{name} is damaged.", name=digest)
    answer = post(serve(error), "/ground?query=it&name=a.mp4", clip)
    assert answer.json() == {"error": "a.mp4 is damaged."}


def test_a_bug_tells_nothing(serve: Serve, clip: Path) -> None:
    answer = post(serve(RuntimeError("/secret")), "/ground?query=it", clip)
    assert answer.status_code == 500 and "/secret" not in answer.text
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("/ground", "empty"),
        ("/ground?query=it&task=svg", "needs the span"),
        ("/ground?query=it&path=/etc/passwd", "There is no 'path'"),
        ("/ground?query=it&video=" + "0" * 64, "not both"),
        ("/describe?question=it&clip=true", "There is no 'clip'"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_the_video_comes(
    serve: Serve, clip: Path, where: str, told: str
) -> None:
    served = serve()
    answer = post(served, where, clip)
    assert answer.status_code == 400 and told in answer.json()["error"]
    assert served.left() == 0 and not served.models.asked


def test_uploads_are_bounded(serve: Serve, clip: Path) -> None:
    served = serve(max_file_bytes=100)
    answer = post(served, "/ground?query=it", clip)
    assert answer.status_code == 413 and "at most 100" in answer.json()["error"]
    endless = served.client.post(
        "/videos", content=iter([b"x"]), headers={"content-type": "video/mp4"}
    )
    assert endless.status_code == 400 and "length" in endless.json()["error"]
    assert served.client.post("/videos").status_code == 400
    form = served.client.post("/videos", files={"video": b"x"})
    assert form.status_code == 400 and "not a form" in form.json()["error"]
    assert served.left() == 0


def test_the_disk_is_bounded(serve: Serve, clip: Path) -> None:
    served = serve(max_disk_bytes=clip.stat().st_size)
    assert post(served, "/videos", clip).status_code == 507
    assert served.left() == 0


class Disk(io.FileIO):
    """Takes a thousand bytes at once, and so many in all."""

    room = 10**9

    def write(self, data: Any) -> int:
        if self.tell() >= self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(bytes(data)[:1000])


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> type[Disk]:
    plain = Path.open

    def open_(path: Path, mode: str = "r", buffering: int = -1, **more: Any) -> Any:
        if mode != "r+b":
            return plain(path, mode, buffering, **more)
        file = Disk(path, mode)
        return io.BufferedRandom(file) if buffering else file

    monkeypatch.setattr(Path, "open", open_)
    monkeypatch.setattr(Disk, "room", Disk.room)
    return Disk


def test_a_disk_that_takes_a_part_of_a_chunk(
    serve: Serve, clip: Path, disk: type[Disk]
) -> None:
    served = serve()
    video = post(served, "/videos", clip).json()["video"]
    kept = served.settings.videos().find(video)
    assert kept is not None and kept.read_bytes() == clip.read_bytes()


def test_a_disk_that_becomes_full(serve: Serve, clip: Path, disk: type[Disk]) -> None:
    served, disk.room = serve(), 1500
    answer = post(served, "/videos", clip)
    assert answer.status_code == 507 and "disk is full" in answer.json()["error"]
    assert served.left() == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"video": 1}', b"[" * 60000])
def test_json_that_is_none(serve: Serve, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = serve().client.post("/ground", content=body, headers=headers)
    assert answer.status_code == 400 and list(answer.json()) == ["error"]


def test_json_that_is_too_long(serve: Serve) -> None:
    answer = serve().client.post("/ground", json={"query": "x" * 70_000})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-deadline-seconds": "5"}, 200),
        ({"x-deadline-seconds": "0"}, 400),
        ({"x-deadline-seconds": "nan"}, 400),
        ({"x-deadline-seconds": "1e9"}, 400),
        ({"x-request-id": "a-1"}, 200),
        ({"x-request-id": "a b"}, 400),
        ({"host": "evil.example"}, 400),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_headers(
    serve: Serve, clip: Path, headers: dict[str, str], status: int
) -> None:
    served = serve()
    answer = post(served, "/ground?query=it", clip, headers=headers)
    assert answer.status_code == status
    if "x-request-id" in headers and status == 200:
        assert served.models.asked[0].request_id == "a-1"


def test_a_login_is_asked_for(serve: Serve, clip: Path) -> None:
    served = serve(auth=(("ann", "söcret"), ("bob", "b")))
    assert post(served, "/ground?query=it", clip).status_code == 401
    for user, password, status in [
        ("ann", "söcret", 200),
        ("bob", "b", 200),
        ("ann", "b", 401),
        ("", "", 401),
    ]:
        answer = served.client.post(
            "/ground?query=it",
            content=clip.read_bytes(),
            headers={"content-type": "video/mp4"},
            auth=(user.encode(), password.encode()),
        )
        assert answer.status_code == status
    for told in ("Basic ???", "Bearer YW5uOmI=", ""):
        answer = served.client.get("/metrics", headers={"authorization": told})
        assert answer.status_code == 401
    assert served.client.get("/healthz").status_code == 200


def test_health(serve: Serve) -> None:
    served = serve()
    assert served.client.get("/healthz").json() == {"status": "alive"}
    assert served.client.get("/readyz").json() == {"status": "ready"}
    assert "ray_stablechat_questions_total" in served.client.get("/metrics").text
    served.why_not = "no model is loaded"
    answer = served.client.get("/readyz")
    assert answer.status_code == 503 and answer.json()["reason"] == "no model is loaded"
    served.why_not = None
    served.drain.finish(0)
    assert served.client.get("/readyz").status_code == 503
    assert served.client.get("/healthz").status_code == 200


def test_paths_that_are_not_there(serve: Serve) -> None:
    answer = serve().client.get("/nothing")
    assert answer.status_code == 404 and answer.json() == {"error": "Not Found."}
    assert serve().client.get("/ground").status_code == 405
