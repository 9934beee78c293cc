"""The videos that benchmarks measure with, and that their pictures are checked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks._sources import (
    FPS,
    NUMBER_BITS,
    SourceSpec,
    make_source,
    number_columns,
    read_number,
    repeat_source,
)
from stablechat.video import probe, sample_frames

SPEC = SourceSpec(320, 180, seconds=2, gop=15, kilobits=600, sound=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(SPEC, tmp_path_factory.mktemp("source") / "source.mp4")


def test_a_source_is_what_was_asked_for(source: Path) -> None:
    info = probe(source)
    assert (info.width, info.height) == (SPEC.width, SPEC.height)
    assert (info.fps, info.num_frames, info.codec) == (FPS, SPEC.num_frames, "h264")
    assert info.has_audio and not info.variable_frame_rate
    assert [path.name for path in source.parent.iterdir()] == [source.name]


@pytest.mark.parametrize("size", [None, (384, 384)])
def test_every_picture_says_its_number(
    source: Path, size: tuple[int, int] | None
) -> None:
    sample = sample_frames(source, SPEC.num_frames, size=size)
    said = [read_number(frame) for frame in sample.frames]
    assert said == list(range(SPEC.num_frames))


def test_the_same_arguments_give_the_same_file(source: Path, tmp_path: Path) -> None:
    again = make_source(SPEC, tmp_path / "again.mp4")
    assert again.read_bytes() == source.read_bytes()


def test_numbers_begin_again_in_a_repeated_source(tmp_path: Path) -> None:
    spec = SourceSpec(160, 96, seconds=1, gop=10, kilobits=200)
    piece = make_source(spec, tmp_path / "piece.mp4")
    long = repeat_source(piece, 4, tmp_path / "long.mp4")
    sample = sample_frames(long, 4 * spec.num_frames)
    assert sample.video.num_frames == 4 * spec.num_frames
    said = [read_number(frame) for frame in sample.frames]
    assert said == list(range(spec.num_frames)) * 4


@pytest.mark.parametrize("number", [0, 1, 2**NUMBER_BITS - 1])
def test_a_number_is_read_back(number: int) -> None:
    columns = np.where(number_columns(number, 300), 255, 0).astype(np.uint8)
    picture = np.broadcast_to(columns[None, :, None], (90, 300, 3))
    assert read_number(np.ascontiguousarray(picture)) == number


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_picture_without_a_number_has_none(shade: int) -> None:
    assert read_number(np.full((90, 160, 3), shade, np.uint8)) is None


def test_what_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="FFmpeg can't make"):
        make_source(SPEC, tmp_path / "source.xyz")
    with pytest.raises(subprocess.CalledProcessError):
        repeat_source(tmp_path / "none.mp4", 2, tmp_path / "out.mp4")
