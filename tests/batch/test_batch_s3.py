"""Videos in S3: a real client and a server of moto's on loopback, which can fail."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from batch_fakes import FakeChat, questions_in, write_videos
from cli_runs import MODEL, run

from stablechat.cli.batch import storage
from stablechat.cli.batch.storage import fetched, list_remote
from stablechat.errors import StorageError, VideoError

pytest.importorskip("s3fs", reason="needs requirements-dev.txt")
pytest.importorskip("moto", reason="needs requirements-dev.txt")

VIDEOS = frozenset({".mp4"})
App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Flaky:
    """Passes requests on, but for some, which it answers with an error.

    Args:
        app: What knows the answers.

    Attributes:
        failures: How many reads of objects are still to fail.
        refused: How many did.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.failures = 0
        self.refused = 0
        self.status = "503 Slow Down"

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        reads = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        if not (reads and environ["PATH_INFO"].endswith(".mp4") and self.failures):
            return self._app(environ, start_response)
        self.failures -= 1
        self.refused += 1
        start_response(self.status, [("Content-Type", "application/xml")])
        code = self.status.split(" ", 1)[1].replace(" ", "")
        return [f"<Error><Code>{code}</Code></Error>".encode()]


@contextmanager
def served() -> Iterator[tuple[str, Flaky]]:
    """An S3 server; its address, and what lets it fail."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:
            """Says nothing."""

    app = Flaky(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flaky]:
    """Three videos and a text, without pauses and without the client's own retries."""
    import s3fs

    with served() as (url, server):
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
        monkeypatch.setattr(storage, "FIRST_PAUSE_SECONDS", 0.01)
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        s3fs.S3FileSystem.clear_instance_cache()
        filesystem = s3fs.S3FileSystem()
        filesystem.mkdir("videos")
        for video in write_videos(tmp_path / "here", 3):
            name = "deep/v2.mp4" if video.name == "v2.mp4" else video.name
            filesystem.put_file(str(video), f"videos/day/{name}")
        filesystem.pipe("videos/day/notes.txt", b"no video")
        yield server
        filesystem.rm("videos", recursive=True)
        s3fs.S3FileSystem.clear_instance_cache()


def test_folders_and_patterns(bucket: Flaky) -> None:
    day = [f"s3://videos/day/v{n}.mp4" for n in (0, 1)]
    assert list_remote("s3://videos/day/", VIDEOS) == day
    assert list_remote("s3://videos/day/v*.mp4", VIDEOS) == day
    deep = [*day, "s3://videos/day/deep/v2.mp4"]
    assert list_remote("s3://videos/**/*.mp4", VIDEOS) == sorted(deep)


def test_a_video_comes_as_it_was(bucket: Flaky, tmp_path: Path) -> None:
    with fetched("s3://videos/day/v0.mp4") as path:
        assert path.read_bytes() == (tmp_path / "here" / "v0.mp4").read_bytes()
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("status", ["503 Slow Down", "500 Internal Error"])
def test_a_server_that_fails_is_asked_again(bucket: Flaky, status: str) -> None:
    bucket.status, bucket.failures = status, 2
    with fetched("s3://videos/day/v0.mp4") as path:
        assert path.stat().st_size > 0
    assert bucket.refused == 2
    bucket.failures = 100
    with (
        pytest.raises(StorageError, match="4 times"),
        fetched("s3://videos/day/v1.mp4"),
    ):
        pass


@pytest.mark.parametrize("name", ["day/none.mp4", "../elsewhere/a.mp4"])
def test_what_is_not_there(bucket: Flaky, name: str) -> None:
    with pytest.raises(VideoError, match="There is no"), fetched(f"s3://videos/{name}"):
        pass


def test_a_server_that_is_not_there(
    bucket: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    with served() as (gone, _):
        pass
    monkeypatch.setenv("AWS_ENDPOINT_URL", gone)
    s3fs.S3FileSystem.clear_instance_cache()
    with (
        pytest.raises(StorageError, match="4 times"),
        fetched("s3://videos/day/v0.mp4"),
    ):
        pass
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_batch_of_what_lies_in_s3(
    bucket: Flaky,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    monkeypatch.setattr(
        "stablechat.cli.batch.command.load_chat", lambda *_: FakeChat(log)
    )
    asking = (
        *("s3://videos/day/", "s3://videos/day/deep/*.mp4", "s3://videos/no.mp4"),
        *("--query", "find it", "--out", out, "--model", MODEL, "--json"),
    )
    bucket.failures = 2  # in the middle of the first download
    assert run("batch", *asking) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["num_done"], report["num_found"]) == (3, 3)
    (failed,) = report["failed"]
    assert (failed["video"], failed["kind"]) == ("s3://videos/no.mp4", "input")
    assert bucket.refused == 2
    lines = [json.loads(x) for x in (out / "results.jsonl").read_text().splitlines()]
    done = [line for line in lines if line["status"] == "done"]
    for line in done:
        data = json.loads((out / line["folder"] / "result.json").read_text())
        assert data["video"]["path"] == line["video"]
        assert (out / line["folder"] / line["files"]["clip"]).stat().st_size > 0
    assert not os.listdir(tmp_path / "temporary")
    # All of it is finished: a remote video is taken to be what it was.
    assert run("batch", *asking) == 1
    assert json.loads(capsys.readouterr().out)["num_finished_before"] == 4
    assert len(questions_in(log)) == 3
