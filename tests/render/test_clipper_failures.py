"""Clips that are not made: what is said, and that nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import moviepy.video.io.ffmpeg_writer as moviepy_writer
import pytest
from render_clips import regular, write_source
from test_clipper import grounding

from render.clipper import ClipOptions, cut_clip
from stablechat.errors import CancelledError, InputError, RenderError
from stablechat.types import VideoInfo
from stablechat.video import probe


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    """2 s at 25 pictures a second, with sound."""
    path = tmp_path_factory.mktemp("sources") / "plain.mp4"
    return probe(write_source(path, regular(25, 2), rate=25, sound=(0, 2)))


def test_nothing_to_cut(tmp_path: Path, plain: VideoInfo) -> None:
    with pytest.raises(RenderError, match="nothing to cut"):
        cut_clip(grounding(plain, None), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("polls", [0, 3, 40])
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
        "cat > /dev/null; echo 'Error: No space left on device' >&2; exit 1",
    ],
    ids=["at once", "at the end"],
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
    assert caught.value.__cause__ is not None
    assert list(folder.iterdir()) == []


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
        {"pad_seconds": -1.0},
        {"pad_seconds": float("nan")},
        {"max_side": 0},
    ],
)
def test_bad_options(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        ClipOptions(**change)  # type: ignore[arg-type]
