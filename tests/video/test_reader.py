"""Pictures by time, as the renderer asks for them."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_clips import numbers, read_number, turn_matrix, write_clip

from stablechat.errors import InputError
from stablechat.types import FrameArray, TimeSpan
from stablechat.video import FrameReader, _pictures, probe, sample_frames
from stablechat.video.color import SDR


def test_times_outside_are_clamped(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "x.mp4", 25))
    with FrameReader(info) as reader:
        assert reader.num_frames == 25
        assert read_number(reader.at(99.0)) == 24
        assert read_number(reader.at(0.0)) == 0
    with FrameReader(info, TimeSpan(0.4, 0.6)) as reader:
        assert read_number(reader.at(0.0)) == 10
        assert read_number(reader.at(0.99)) == 15


def test_a_constant_rate_over_an_uneven_clip(tmp_path: Path) -> None:
    times = [Fraction(0), Fraction(1, 10), Fraction(1), Fraction(11, 10), Fraction(2)]
    info = probe(write_clip(tmp_path / "x.mp4", times=times))
    with FrameReader(info) as reader:
        shown = [read_number(reader.at(k / 10)) for k in range(22)]
    assert shown == [0] + [1] * 9 + [2] + [3] * 9 + [4] * 2


def test_times_rounded_to_milliseconds_do_not_stutter(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "x.mkv", 30, rate=30, audio=False))
    with FrameReader(info) as reader:  # 2/30 is stored as 0.067
        assert [read_number(reader.at(k / 30)) for k in range(30)] == [*range(30)]


def test_the_picture_on_screen_at_the_start_belongs_to_the_span(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "x.mp4", 5, rate=1))
    with FrameReader(info, TimeSpan(1.5, 3.2)) as reader:
        shown = [(time, read_number(picture)) for time, picture in reader.frames()]
    assert shown == [(1.0, 1), (2.0, 2), (3.0, 3)]


def test_pictures_are_the_callers_own(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "x.mp4", 5))
    with FrameReader(info) as reader:
        reader.at(0.0)[:] = 0  # drawn over
        assert read_number(reader.at(0.01)) == 0
        for _, picture in reader.frames():
            assert picture.flags.writeable and picture.flags.c_contiguous


def test_size(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "x.mp4", 5))
    with FrameReader(info, size=(100, 50)) as reader:
        assert reader.at(0).shape == (50, 100, 3)
    with pytest.raises(InputError):
        FrameReader(info, size=(0, 1))


def shown_luma(picture: FrameArray) -> FrameArray:
    """Y of an I420 picture, as if it were gray RGB."""
    return picture[: picture.shape[0] * 2 // 3, :, None].repeat(3, axis=2)


@pytest.mark.parametrize("rotation", [0, 90])
def test_planes(tmp_path: Path, rotation: int) -> None:
    matrix = turn_matrix(rotation)
    path = write_clip(tmp_path / "x.mp4", 5, turn=rotation // 90, matrix=matrix)
    with FrameReader(probe(path), pixel_format="yuv420p") as reader:
        assert reader.color.matrix == "bt601" and not reader.color.full_range
        found = [picture for _, picture in reader.frames()]
        assert numbers(map(shown_luma, found)) == [*range(5)]
        for picture in found:
            assert picture.shape == (144, 168) and picture.dtype == np.uint8
            assert picture.flags.writeable and picture.flags.c_contiguous
        reader.at(0.0)[:] = 0  # drawn over
        assert read_number(shown_luma(reader.at(0.0))) == 0


def test_planes_of_another_size_are_even(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "x.mp4", 5))
    with FrameReader(info, size=(101, 51), pixel_format="yuv420p") as reader:
        picture = reader.at(0.1)
        assert picture.shape == (78, 102)
        assert read_number(shown_luma(picture)) == 2
        assert reader.color.matrix == "bt601"


def test_rgb_has_a_colour_space_to_be_made_into(tmp_path: Path) -> None:
    with FrameReader(probe(write_clip(tmp_path / "x.mp4", 2))) as reader:
        assert reader.color == SDR


def test_only_the_span_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = probe(write_clip(tmp_path / "x.mp4", 500, options={"g": "50"}, audio=False))
    started: list[str] = []
    real = _pictures.decode_from_start
    monkeypatch.setattr(
        _pictures,
        "decode_from_start",
        lambda *a, **k: started.append("start") or real(*a, **k),
    )
    with FrameReader(info, TimeSpan(18.0, 18.2)) as reader:
        assert numbers(p for _, p in reader.frames()) == [*range(450, 456)]
    assert not started


def test_frames_after_at_and_at_after_frames(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "x.mp4", 10))
    with FrameReader(info) as reader:
        assert read_number(reader.at(0.3)) == 7
        assert numbers(p for _, p in reader.frames()) == [*range(10)]
        assert read_number(reader.at(0.1)) == 2
    reader.close()  # twice is fine


def test_a_seek_that_lies_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = probe(write_clip(tmp_path / "x.mp4", 300, options={"g": "30"}, audio=False))
    monkeypatch.setattr(
        _pictures.PictureStream, "_first_key_packet", lambda self, packets: None
    )
    with FrameReader(info, TimeSpan(10.0, 10.2)) as reader:
        assert read_number(reader.at(10.0)) == 250
    assert np.isclose(info.duration_seconds, 12)


@pytest.fixture(scope="module")
def av1_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "libsvtav1" not in av.codecs_available:
        pytest.skip("this PyAV has no AV1 encoder")
    path = tmp_path_factory.mktemp("av1") / "x.mp4"
    # In another process: SVT-AV1 puts the one it runs in into real time, where it may.
    write = (
        "import sys; from pathlib import Path; from video_clips import write_clip; "
        "write_clip(Path(sys.argv[1]), 70, codec='libsvtav1', audio=False, "
        "options={'preset': '12', 'g': '32'})"
    )
    command = [sys.executable, "-c", write, str(path)]
    subprocess.run(command, cwd=Path(__file__).parent, check=True)
    return path


@pytest.mark.parametrize("number", [1, 15, 31, 33, 45, 50, 63, 69])
def test_av1_loses_no_picture_after_a_seek(av1_clip: Path, number: int) -> None:
    with FrameReader(probe(av1_clip)) as reader:
        assert read_number(reader.at(number / 25)) == number


def test_av1_spans_and_samples_are_complete(av1_clip: Path) -> None:
    span = TimeSpan(33 / 25, 63 / 25)
    with FrameReader(probe(av1_clip), span) as reader:
        assert numbers(p for _, p in reader.frames()) == [*range(33, 64)]
    sample = sample_frames(av1_clip, 11, span=span)
    assert numbers(sample.frames) == [*range(33, 64, 3)] == sample.indices.tolist()
