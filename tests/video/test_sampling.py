"""Frames are exact to the picture, whatever the file looks like inside."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_clips import (
    ffmpeg,
    is_upright,
    numbers,
    read_number,
    turn_matrix,
    write_clip,
)

from stablechat.errors import CancelledError, InputError, LimitError, VideoError
from stablechat.types import TimeSpan
from stablechat.video import FrameReader, _pictures, probe, sample_frames, sampling
from stablechat.video.isolation import Message, SharedMemory

LONG_GROUPS = {"g": "60", "bf": "3", "sc_threshold": "0"}
OPEN_GROUPS = {"x264-params": "keyint=20:open-gop=1:bframes=4:b-adapt=0:b-pyramid=2"}


def remux(clip: Path, name: str, *options: str) -> Path:
    """The same packets in another container."""
    ffmpeg("-i", clip, "-c", "copy", *options, clip.with_name(name))
    return clip.with_name(name)


def make(name: str) -> Callable[[Path], Path]:
    """A maker of the clip with this name, 200 pictures unless it says otherwise."""

    def clip(folder: Path, **how: object) -> Path:
        return write_clip(folder / "x.mp4", 200, **{"audio": False, **how})  # type: ignore[arg-type]

    uneven = [Fraction(k + k // 7 + 9 * (k // 40), 60) for k in range(200)]
    makers: dict[str, Callable[[Path], Path]] = {
        "plain": lambda f: clip(f, options={"g": "25"}),
        "sound": lambda f: clip(f, audio=True),
        "ntsc": lambda f: clip(f, rate=Fraction(30000, 1001)),
        "long groups, B-frames": lambda f: clip(f, options=LONG_GROUPS),
        "open groups": lambda f: clip(f, options=OPEN_GROUPS),
        "uneven": lambda f: clip(f, times=uneven, options=LONG_GROUPS),
        "rotated": lambda f: clip(f, turn=1, matrix=turn_matrix(90)),
        "mpeg-4 avi": lambda f: remux(
            clip(f), "y.avi", "-c:v", "mpeg4", "-q:v", "3", "-bf", "2"
        ),
        "h264 avi": lambda f: remux(clip(f, options=LONG_GROUPS), "y.avi"),
        "flash": lambda f: remux(clip(f, options=LONG_GROUPS), "y.flv"),
        "vp9": lambda f: write_clip(
            f / "x.webm",
            60,
            codec="libvpx-vp9",
            audio=False,
            options={"deadline": "realtime", "cpu-used": "8", "g": "30"},
        ),
        "matroska": lambda f: remux(clip(f, options=OPEN_GROUPS), "y.mkv"),
        "transport stream": lambda f: remux(clip(f, options=OPEN_GROUPS), "y.ts"),
        "program stream": lambda f: remux(
            clip(f), "y.mpg", "-c:v", "mpeg2video", "-q:v", "3", "-bf", "2"
        ),
        "bare": lambda f: remux(clip(f, options=LONG_GROUPS), "y.h264"),
        "late clock": lambda f: remux(clip(f), "y.mkv", "-output_ts_offset", "5"),
        "fragmented": lambda f: remux(
            clip(f, options=LONG_GROUPS), "y.mp4", "-movflags", "frag_keyframe"
        ),
        "no edit list": lambda f: remux(
            clip(f, options=LONG_GROUPS), "y.mp4", "-use_editlist", "0"
        ),
        "negative offsets": lambda f: remux(
            clip(f, options=LONG_GROUPS), "y.mp4", "-movflags", "negative_cts_offsets"
        ),
    }
    return makers[name]


NAMES = [
    *("plain", "sound", "ntsc", "long groups, B-frames", "open groups", "uneven"),
    *(
        "rotated",
        "mpeg-4 avi",
        "h264 avi",
        "flash",
        "vp9",
        "matroska",
        "transport stream",
    ),
    *("program stream", "bare", "late clock", "fragmented", "no edit list"),
    "negative offsets",
]


@pytest.mark.parametrize("seek_cost", [0, 10_000], ids=["seeking", "straight"])
@pytest.mark.parametrize("name", NAMES)
def test_every_frame_is_the_one_it_says(
    name: str, seek_cost: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pictures, "SEEK_COST_PICTURES", seek_cost)
    info = probe(make(name)(tmp_path))
    sample = sample_frames(info, 23)
    assert numbers(sample.frames) == sample.indices.tolist()
    assert sample.indices[-1] == info.num_frames - 1
    assert np.all(np.diff(sample.pts_seconds) > 0)
    assert sample.pts_seconds[0] == pytest.approx(info.start_seconds)
    assert sample.frames.shape == (23, info.height, info.width, 3)
    everything = sample_frames(info, info.num_frames)
    with FrameReader(info) as reader:  # forward with gaps, then back
        for k in (3, 4, 40, 41, 59, 20, 0):
            middle = everything.pts_seconds[k] + 0.001
            assert read_number(reader.at(middle)) == k
    span = TimeSpan(*map(float, everything.pts_seconds[[31, 38]]))
    assert sample_frames(info, 8, span=span).indices.tolist() == [*range(31, 39)]
    with FrameReader(info, span) as reader:
        shown = [(time, read_number(picture)) for time, picture in reader.frames()]
    assert [number for _, number in shown] == [*range(31, 39)]
    np.testing.assert_allclose([t for t, _ in shown], everything.pts_seconds[31:39])


def test_seeking_really_skips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "x.mp4", 600, options={"g": "50"}, audio=False)
    decoded: list[object] = []
    real = _pictures.decode_packets

    def counting(*arguments: object, **more: object) -> object:
        for frame in real(*arguments, **more):  # type: ignore[arg-type]
            decoded.append(frame)
            yield frame

    monkeypatch.setattr(_pictures, "decode_packets", counting)
    sample = sample_frames(path, 3)
    assert numbers(sample.frames) == [0, 300, 599]
    assert len(decoded) < 150


def test_true_times_of_an_uneven_clip(tmp_path: Path) -> None:
    times = [Fraction(0), Fraction(1, 50), Fraction(1), Fraction(9, 8), Fraction(4)]
    sample = sample_frames(write_clip(tmp_path / "x.mp4", times=times), 5)
    np.testing.assert_allclose(sample.pts_seconds, list(map(float, times)), atol=1e-4)


def test_fewer_pictures_than_frames_repeat(tmp_path: Path) -> None:
    sample = sample_frames(write_clip(tmp_path / "x.mp4", 7))
    assert len(sample.frames) == 100
    assert numbers(sample.frames) == sample.indices.tolist()
    assert sorted(set(sample.indices.tolist())) == [*range(7)]


def test_one_frame_is_the_first(tmp_path: Path) -> None:
    sample = sample_frames(write_clip(tmp_path / "x.mp4", 7), 1)
    assert sample.indices.tolist() == [0]


def test_a_span_between_two_pictures_gives_the_one_on_screen(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 5, rate=1)
    sample = sample_frames(path, 3, span=TimeSpan(2.2, 2.8))
    assert sample.indices.tolist() == [2, 2, 2]


def test_a_span_behind_the_end_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 25)
    with pytest.raises(InputError, match="choose an earlier one"):
        sample_frames(path, 3, span=TimeSpan(5, 6))
    assert sample_frames(path, 2, span=TimeSpan(0.5, 99)).indices.tolist() == [13, 24]


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("clockwise", [0, 90, 180, 270])
def test_frames_are_upright(clockwise: int, mirror: bool, tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "x.mp4",
        10,
        turn=clockwise // 90,
        mirror=mirror,
        matrix=turn_matrix(clockwise, mirror),
    )
    sample = sample_frames(path, 3)
    assert sample.frames.shape == (3, 96, 168, 3)
    assert all(is_upright(frame) for frame in sample.frames)
    assert numbers(sample.frames) == [0, 4, 9]
    small = sample_frames(path, 2, size=(84, 60))
    assert small.frames.shape == (2, 60, 84, 3)
    assert numbers(small.frames) == [0, 9] and is_upright(small.frames[0])


def test_anamorphic_frames_are_square(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 4, size=(120, 90), aspect=Fraction(4, 3))
    sample = sample_frames(path, 4)
    assert sample.frames.shape == (4, 90, 160, 3)
    assert numbers(sample.frames) == [0, 1, 2, 3]


def test_colours_and_range(tmp_path: Path) -> None:
    for pixels in ("yuv420p", "yuvj420p", "yuv420p10le"):
        path = write_clip(tmp_path / f"{pixels}.mp4", 1, pixel_format=pixels)
        picture = sample_frames(path, 1).frames[0].astype(int)
        white, black = picture[70, 6], picture[70, 18]  # the first two bars
        assert np.all(np.abs(white - 236) < 8), (pixels, white)
        assert np.all(np.abs(black - 16) < 8), (pixels, black)


def test_interlaced_pictures_are_read(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "x.mp4", 20, options={"flags": "+ilme+ildct", "x264-params": "tff=1"}
    )
    sample = sample_frames(path, 20, size=(84, 50))
    assert numbers(sample.frames) == [*range(20)]


def test_a_size_that_changes_is_scaled_to_the_first(tmp_path: Path) -> None:
    parts = []
    for k, size in enumerate([(168, 96), (336, 192)]):
        clip = write_clip(tmp_path / f"{k}.mp4", 25, size=size, audio=False)
        parts.append(remux(clip, f"{k}.ts").read_bytes())
    path = tmp_path / "x.ts"
    path.write_bytes(b"".join(parts))
    sample = sample_frames(path, 50)
    assert sample.frames.shape == (50, 96, 168, 3)
    assert numbers(sample.frames) == [*range(25), *range(25)]


def test_progress_and_cancelling(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 60)
    told: list[float] = []
    sample_frames(path, 5, on_progress=told.append)
    assert told == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    asked: list[bool] = []

    def stop_soon() -> bool:
        asked.append(True)
        return len(asked) > 10

    with pytest.raises(CancelledError):
        sample_frames(path, 60, cancelled=stop_soon)
    assert len(asked) == 11


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 5)
    with pytest.raises(InputError, match="num_frames must be at least 1, got 0"):
        sample_frames(path, 0)
    with pytest.raises(InputError, match="size must be at least 1x1, got 0x4"):
        sample_frames(path, 2, size=(0, 4))
    with pytest.raises(LimitError, match="give a smaller size"):
        sample_frames(path, 1000, size=(4000, 4000))


def test_a_file_that_vanished_is_one_line(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 5)
    info = probe(path)
    path.unlink()
    with pytest.raises(VideoError, match="There is no file"):
        sample_frames(info, 2)


@pytest.mark.parametrize("clockwise", [0, 90])
def test_without_shared_memory_pictures_come_through_the_pipe(
    clockwise: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"turn": clockwise // 90, "matrix": turn_matrix(clockwise)}
    path = write_clip(tmp_path / "x.mp4", 10, **how)  # type: ignore[arg-type]
    lent = sample_frames(path, 12)

    def refuse(num_bytes: int) -> SharedMemory:
        raise OSError("no memory can be sealed")

    monkeypatch.setattr(sampling, "SharedMemory", refuse)
    sent = sample_frames(path, 12)
    np.testing.assert_array_equal(lent.frames, sent.frames)
    np.testing.assert_array_equal(lent.indices, sent.indices)
    assert lent.frames.flags.writeable and sent.frames.flags.writeable


@pytest.mark.parametrize("name", ["memory", "pipe"])
@pytest.mark.parametrize(
    "data",
    [
        {"row": -1, "number": 0},
        {"row": 2, "number": 0},
        {"row": True, "number": 0},
        {"row": 0.0, "number": 0},
        {"row": "0", "number": 0},
        {"row": 0},
        {"row": 0, "number": "0"},
        {"row": 0, "number": -1},
        {"row": 0, "number": 1 << 70},  # more than an array can hold
    ],
)
def test_a_child_that_lies_about_its_pictures_is_not_believed(
    data: dict[str, object], name: str
) -> None:
    shape = (2, 4, 6, 3)
    with ExitStack() as closing:
        memory = sampling._lent_memory(144, closing) if name == "memory" else None
        tray = sampling._Tray("x.mp4", shape, memory, None)
        picture = np.zeros(shape[1:], np.uint8)
        with pytest.raises(VideoError, match="makes no sense"):
            tray.take(Message(data, [picture]))


def test_pictures_that_are_missing_or_of_another_size_are_noticed() -> None:
    tray = sampling._Tray("x.mp4", (2, 4, 6, 3), None, None)
    place = {"row": 0, "number": 3}
    for arrays in ([], [np.zeros((4, 6), np.uint8)], [np.zeros((4, 6, 3))]):
        with pytest.raises(VideoError, match="makes no sense"):
            tray.take(Message(place, arrays))
    tray.take(Message(place, [np.ones((4, 6, 3), np.uint8)]))
    tray.take(Message())  # a sign of life
    with pytest.raises(VideoError, match="makes no sense"):
        tray.checked_numbers(4)  # row 1 never came
    tray.take(Message({"row": 1, "number": 4}, [np.ones((4, 6, 3), np.uint8)]))
    with pytest.raises(VideoError, match="makes no sense"):
        tray.checked_numbers(4)
    assert tray.checked_numbers(5).tolist() == [3, 4]
    tray.take(Message({"row": 1, "number": 2}, [np.ones((4, 6, 3), np.uint8)]))
    with pytest.raises(VideoError, match="makes no sense"):
        tray.checked_numbers(5)  # backwards


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")
def test_samples_leave_no_descriptor(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 5)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        sample_frames(path, 5)
    assert len(os.listdir("/proc/self/fd")) <= before
