"""Clips that are not made: what is said, and that nothing is left behind."""

from __future__ import annotations

import ast
import inspect
import os
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import moviepy.video.io.ffmpeg_writer as moviepy_writer
import pytest
from render_clips import regular, write_source
from test_clipper import grounding

from render.clipper import ClipOptions, cut_clip, cut_here
from render.output import ClipFacts
from render.parts import ClipPart
from stablechat.errors import CancelledError, InputError, RenderError, VideoError
from stablechat.types import VideoInfo
from stablechat.video import FrameReader, probe, read_timeline
from stablechat.video.isolation import Message


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    """2 s at 25 pictures a second, with sound."""
    path = tmp_path_factory.mktemp("sources") / "plain.mp4"
    return probe(write_source(path, regular(25, 2), rate=25, sound=(0, 2)))


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut without a child, so that a part of it can be replaced."""

    def cut(
        parts: Sequence[ClipPart],
        written: Path,
        options: ClipOptions,
        on_progress: Callable[[float], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> ClipFacts:
        return cut_here(
            parts,
            read_timeline(parts[0].grounding.video.path),
            written,
            ffmpeg=moviepy_writer.FFMPEG_BINARY,
            options=options,
            on_progress=on_progress,
            cancelled=cancelled,
        )

    monkeypatch.setattr("render.clipper._cut_in_child", cut)


def test_nothing_to_cut(tmp_path: Path, plain: VideoInfo) -> None:
    with pytest.raises(RenderError, match="nothing to cut"):
        cut_clip(grounding(plain, None), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    files = Path("/proc/self/fd")
    before = len(list(files.iterdir())) if files.exists() else None
    yield
    assert not [t.name for t in threading.enumerate() if t.name.startswith("clip ")]
    if before is not None:
        assert len(list(files.iterdir())) <= before
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)  # no FFmpeg, living or dead


@pytest.mark.parametrize("polls", [0, 3, 6])
def test_cancel_leaves_nothing(tmp_path: Path, plain: VideoInfo, polls: int) -> None:
    count = iter(range(1000))
    with pytest.raises(CancelledError):
        cut_clip(
            grounding(plain, (0.0, 2.0)),
            tmp_path / "out.mp4",
            cancelled=lambda: next(count) >= polls,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "script",
    [
        "echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 1",
        "head -c 99999 > /dev/null; echo 'Error: No space left on device' >&2; exit 1",
        "cat > /dev/null; echo 'Error: No space left on device' >&2; exit 1",
    ],
    ids=["at once", "in the middle", "at the end"],
)
def test_failure_names_the_reason_and_leaves_nothing(
    tmp_path: Path, plain: VideoInfo, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(moviepy_writer, "FFMPEG_BINARY", str(program))
    folder = tmp_path / "out"
    with pytest.raises(RenderError, match="No space left on device") as caught:
        cut_clip(grounding(plain, (0.0, 2.0)), folder / "out.mp4")
    assert "\n" not in str(caught.value)
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("in_process")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("after", [0, 3])
def test_errors_of_the_sound_reach_the_caller(
    tmp_path: Path, plain: VideoInfo, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    def broken(*arguments: Any, **_: Any) -> None:
        for _i in range(after):
            arguments[4](b"12" * 4096)
        raise VideoError("The sound is gone.")

    monkeypatch.setattr("render.clipper.stream_sound", broken)
    with pytest.raises(VideoError, match="gone"):
        cut_clip(grounding(plain, (0.0, 2.0)), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("in_process")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("polls", [None, 10, 51])
def test_slow_sound(
    tmp_path: Path, plain: VideoInfo, monkeypatch: pytest.MonkeyPatch, polls: int | None
) -> None:
    def slow(*arguments: Any, stopped: Callable[[], bool]) -> None:
        for _ in range(100):
            if stopped():
                return
            time.sleep(0.01)
            arguments[4](b"12" * 960)  # of 48 000 a second

    monkeypatch.setattr("render.clipper.stream_sound", slow)
    count = iter(range(100_000))

    def cancelled() -> bool:
        return polls is not None and next(count) >= polls

    asked, out = grounding(plain, (0.0, 2.0)), tmp_path / "out.mp4"
    if polls is None:
        assert cut_clip(asked, out, cancelled=cancelled).has_audio
    else:
        with pytest.raises(CancelledError):
            cut_clip(asked, out, cancelled=cancelled)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("in_process")
def test_damaged_pictures_are_the_videos_fault(
    tmp_path: Path, plain: VideoInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: FrameReader, _: float) -> None:
        raise VideoError("The pictures are gone.")

    monkeypatch.setattr(FrameReader, "at", broken)
    with pytest.raises(VideoError, match="gone"):
        cut_clip(grounding(plain, (0.0, 2.0)), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_nothing_but_the_clip_is_written(tmp_path: Path, plain: VideoInfo) -> None:
    seen: set[str] = set()

    def look(*_: object) -> bool:
        seen.update(p.name for p in tmp_path.rglob("*") if p.is_file())
        return False

    cut_clip(
        grounding(plain, (0.0, 2.0)),
        tmp_path / "out.mp4",
        on_progress=look,
        cancelled=look,
    )
    assert seen - {"clip.mp4", "clip.mp4.log"} == {"out.mp4"}


def test_encoder_that_the_machine_lacks(
    tmp_path: Path, plain: VideoInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ffmpeg"
    said = "[h264_nvenc @ 0x55] Cannot load libcuda.so.1\n[vost#0:0 @ 0x5] Error: -22"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2; exit 1")
    program.chmod(0o755)
    monkeypatch.setattr(moviepy_writer, "FFMPEG_BINARY", str(program))
    folder = tmp_path / "out"
    with pytest.raises(RenderError, match=r"\(Cannot load libcuda.so.1\); use lib"):
        cut_clip(
            grounding(plain, (0.0, 1.0)),
            folder / "out.mp4",
            options=ClipOptions(encoder="h264_nvenc"),
        )
    assert list(folder.iterdir()) == []


def test_moviepys_writer_is_the_one_we_know() -> None:
    """Our subclass makes the attributes that these methods use, and no others."""
    used: set[str] = set()
    for name in ("write_frame", "close", "__enter__", "__exit__"):
        method = getattr(moviepy_writer.FFMPEG_VideoWriter, name)
        tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
        used |= {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        }
    assert used == {"proc", "logfile", "filename", "codec", "ext", "close"}


def test_failure_keeps_the_older_file(
    tmp_path: Path, plain: VideoInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"older")
    monkeypatch.setattr(moviepy_writer, "FFMPEG_BINARY", "/no/such/program")
    with pytest.raises(RenderError):
        cut_clip(grounding(plain, (0.0, 1.0)), out)
    assert out.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [out]


def test_callers_errors_are_not_hidden(tmp_path: Path, plain: VideoInfo) -> None:
    def broken(_: float) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cut_clip(grounding(plain, (0, 1)), tmp_path / "out.mp4", on_progress=broken)
    assert list(tmp_path.iterdir()) == []


def test_video_is_never_replaced(plain: VideoInfo) -> None:
    before = plain.path.read_bytes()
    with pytest.raises(RenderError, match="would replace the video"):
        cut_clip(grounding(plain, (0, 1)), plain.path)
    assert plain.path.read_bytes() == before


def test_other_endings_are_refused(tmp_path: Path, plain: VideoInfo) -> None:
    with pytest.raises(RenderError, match=r"must end in \.mp4"):
        cut_clip(grounding(plain, (0, 1)), tmp_path / "out.webm")


@pytest.mark.parametrize(
    "change",
    [
        {"crf": -1},
        {"crf": 52},
        {"preset": "warp"},
        {"encoder": "libx265"},
        {"pad_before_seconds": -1.0},
        {"pad_after_seconds": float("nan")},
        {"trail_seconds": float("inf")},
        {"max_side": 0},
    ],
)
def test_bad_options(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        ClipOptions(**change)  # type: ignore[arg-type]


FACTS = {"width": 160, "height": 120, "num_frames": 14, "has_audio": True}


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has the child say something, and write something."""

    def answer(facts: dict[str, object], *told: object, content: bytes = b"x") -> None:
        def read_in_child(
            module: str,
            request: Message,
            path: Path,
            *,
            on_message: Callable[[Message], None],
            **_: object,
        ) -> Message:
            if content:
                Path(request.data["written"]).write_bytes(content)
            for fraction in told:
                on_message(Message({"progress": fraction}))
            return Message(facts)

        monkeypatch.setattr("render.clipper.read_in_child", read_in_child)

    return answer


@pytest.mark.parametrize(
    "lie",
    [
        {"width": None},
        {"width": "160"},
        {"width": 160.0},
        {"width": True},
        {"height": 0},
        {"height": -120},
        {"num_frames": 13},
        {"num_frames": 0},
        {"has_audio": 1},
        {"has_audio": None},
    ],
    ids=str,
)
def test_a_child_that_lies_about_the_clip_is_not_believed(
    tmp_path: Path,
    plain: VideoInfo,
    answering: Callable[..., None],
    lie: dict[str, object],
) -> None:
    answering({**FACTS, **lie})
    with pytest.raises(RenderError, match="answer is odd"):
        cut_clip(grounding(plain, (0.5, 1.0)), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []
    answering(FACTS)
    clip = cut_clip(grounding(plain, (0.5, 1.0)), tmp_path / "out.mp4")
    assert (clip.width, clip.height, clip.num_frames) == (160, 120, 14)


def test_a_child_that_wrote_nothing_is_not_believed(
    tmp_path: Path, plain: VideoInfo, answering: Callable[..., None]
) -> None:
    answering(FACTS, content=b"")
    with pytest.raises(RenderError, match="can't be written: No such file"):
        cut_clip(grounding(plain, (0.5, 1.0)), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_progress_that_makes_no_sense_is_not_passed_on(
    tmp_path: Path, plain: VideoInfo, answering: Callable[..., None]
) -> None:
    answering(FACTS, 0.25, float("nan"), -1.0, 0.125, 7.0, "0.5", True, None, 0.5)
    told: list[float] = []
    cut_clip(
        grounding(plain, (0.5, 1.0)), tmp_path / "out.mp4", on_progress=told.append
    )
    assert told == [0.25, 0.5, 1.0]
