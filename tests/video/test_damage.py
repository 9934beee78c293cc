"""Signs of damage: found where they are, and not in sound files."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_clips import ffmpeg, read_number, write_clip

from stablechat.video import _decode, _pictures, probe, read_timeline, sample_frames
from stablechat.video import _timeline as timeline_module
from stablechat.video._damage import _clock_seconds, signs_of_a_hole, signs_of_damage
from stablechat.video._decode import decode_pictures
from stablechat.video.limits import default_limits
from stablechat.video.orient import Orientation, PictureConverter


def warnings(path: Path) -> str:
    return " ".join(probe(path).warnings)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm", "ts"])
def test_sound_files_are_not_suspected(tmp_path: Path, ending: str) -> None:
    codec = "libvpx" if ending == "webm" else "libx264"
    path = write_clip(tmp_path / f"x.{ending}", 50, codec=codec, audio=ending != "webm")
    assert probe(path).warnings == ()


@pytest.mark.parametrize("audio", [True, False])
@pytest.mark.parametrize("ending", ["mkv", "ts"])
def test_a_file_that_was_cut_off(tmp_path: Path, ending: str, audio: bool) -> None:
    path = write_clip(tmp_path / f"x.{ending}", 250, audio=audio)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 // 188 * 188 + 50])
    assert "cut off" in warnings(path)
    assert probe(path).num_frames < 250


def damaged(path: Path) -> Path:
    """Noise over a tenth of the pictures, in the middle."""
    data = bytearray(write_clip(path, 100, options={"g": "20"}).read_bytes())
    start = len(data) // 4  # the index is at the end
    noise = np.random.default_rng(1).integers(0, 256, len(data) // 10, np.uint8)
    data[start : start + len(noise)] = noise.tobytes()
    path.write_bytes(data)
    return path


def test_a_small_file_is_decoded_whole(tmp_path: Path) -> None:
    info = probe(damaged(tmp_path / "x.mp4"))
    assert "Some of the pictures are damaged or missing." in info.warnings
    sample = sample_frames(info, info.num_frames)
    assert sample.indices.tolist() == list(range(info.num_frames))


def test_a_stream_without_times_tells_its_damage_too(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 100, options={"g": "20"}, audio=False)
    bare = tmp_path / "x.h264"
    ffmpeg("-i", clip, "-c", "copy", bare)
    data = bytearray(bare.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    bare.write_bytes(data)
    assert "damaged or missing" in warnings(bare)


def test_a_large_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stablechat.video._inspect import inspect_here
    from stablechat.video.limits import VideoLimits

    path = damaged(tmp_path / "x.mp4")
    monkeypatch.setattr(timeline_module, "CHECK_BUDGET_PIXELS", 1)
    timeline = inspect_here(path, VideoLimits()).timeline
    assert len(timeline) == 100
    assert timeline.warnings == ()


def test_a_hole_is_told(tmp_path: Path) -> None:
    times = [Fraction(k, 25) + (k >= 30) * 2 for k in range(60)]
    path = write_clip(tmp_path / "x.mkv", 60, times=times, audio=False)
    assert "No new picture comes for 2.0 seconds after 1.2 s" in warnings(path)


def test_an_uneven_video_has_no_holes() -> None:
    steps = np.random.default_rng(0).uniform(0.02, 1.0, 200)
    assert signs_of_a_hole(np.cumsum(steps)) == []
    assert signs_of_a_hole(np.arange(0.0, 5, 0.04)) == []
    assert signs_of_a_hole(np.array([0.0, 9.0])) == []


def test_clocks_are_read() -> None:
    assert _clock_seconds("00:01:02.500000000") == 62.5
    assert _clock_seconds("62.5") is None
    assert _clock_seconds("a:b:c") is None


def write_damaged(path: Path, first: int) -> Path:
    """Too large to be decoded whole by ``probe``; three pictures are wiped."""
    write_clip(path, 220, size=(640, 384), options={"g": "20", "bf": "0"})
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        places = [(p.pos, p.size) for p in packets if p.pos is not None]
    data = bytearray(path.read_bytes())
    for start, size in places[first : first + 3]:
        data[start : start + size] = bytes(size)
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def late_damage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures 50 to 52 are wiped."""
    return write_damaged(tmp_path_factory.mktemp("late") / "x.mp4", 50)


def test_what_only_sampling_sees_is_told(late_damage: Path) -> None:
    info = probe(late_damage)
    assert info.warnings == ()
    sample = sample_frames(info, 220)
    assert np.flatnonzero(sample.indices != np.arange(220)).tolist() == [50, 51, 52]
    assert sample.video.warnings[0] == (
        "3 of the 220 pictures looked at could not be decoded; the nearest that could "
        "was taken instead."
    )
    assert replace(sample.video, warnings=()) == info
    again = sample_frames(sample.video, 220)
    assert again.video.warnings == sample.video.warnings


def test_a_sample_beside_the_damage_is_not_suspected(late_damage: Path) -> None:
    assert sample_frames(late_damage, 3).video.warnings == ()


@pytest.mark.parametrize("first", [150, 160])  # inside a group, and its key picture
@pytest.mark.parametrize("is_long", [True, False])
def test_a_long_video_is_not_decoded_whole_for_a_damaged_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, is_long: bool
) -> None:
    path = write_damaged(tmp_path / "x.mp4", first)
    started: list[str] = []
    real = _pictures.decode_from_start
    monkeypatch.setattr(
        _pictures,
        "decode_from_start",
        lambda *a, **k: started.append("start") or real(*a, **k),
    )
    if is_long:
        monkeypatch.setattr(_decode, "WHOLE_BUDGET_PIXELS", 0)
    wanted = [100, first - 3, first + 1, first + 2, 219]
    decoded = decode_pictures(
        path,
        read_timeline(path),
        wanted,
        PictureConverter(Orientation(), (640, 384)),
        default_limits(),
    )
    found = {d.row: (d.number, read_number(np.array(d.picture))) for d in decoded}
    shown = [100, first - 3, first - 1, first - 1, 219]
    assert [found[row] for row in range(5)] == [(number, number) for number in shown]
    assert bool(started) is not is_long


@pytest.mark.parametrize(
    ("replaced", "damaged", "said"),
    [
        ("0000", "0000", []),
        ("0100", "0000", ["1 of the 4 pictures looked at could not be decoded"]),
        ("0100", "0111", ["1 of the 4", "2 of the 4 pictures looked at are damaged."]),
        ("1000", "1001", ["1 of the 4", "1 of the 4 pictures looked at is damaged."]),
        ("1", "0", ["The picture looked at could not be decoded; the nearest"]),
        ("0", "1", ["The picture looked at is damaged."]),
    ],
)
def test_damage_of_a_sample_in_words(
    replaced: str, damaged: str, said: list[str]
) -> None:
    masks = [np.array([c == "1" for c in text]) for text in (replaced, damaged)]
    found = signs_of_damage(*masks)
    assert len(found) == len(said)
    assert all(text.startswith(start) for text, start in zip(found, said, strict=True))
