"""What :func:`probe` says about clips whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_clips import ffmpeg, turn_matrix, write_clip

from stablechat.errors import VideoError
from stablechat.types import VideoInfo
from stablechat.video import FrameReader, Timeline, probe, read_timeline, sample_frames
from stablechat.video._packets import _is_hidden_vp9
from stablechat.video.probe import FALLBACK_FPS, average_fps, is_variable

NTSC = Fraction(30000, 1001)


def test_a_plain_clip(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 30, rate=NTSC)
    info = probe(path)
    assert info.duration_seconds == pytest.approx(30 / NTSC, abs=1e-4)
    assert info == VideoInfo(
        path=path,
        width=168,
        height=96,
        rotation=0,
        fps=NTSC,
        num_frames=30,
        duration_seconds=info.duration_seconds,
        start_seconds=0.0,
        has_audio=True,
        codec="h264",
        container="mov,mp4,m4a,3gp,3g2,mj2",
        stored_width=168,
        stored_height=96,
        pixel_format="yuv420p",
        size_bytes=path.stat().st_size,
    )


def test_a_path_may_be_text(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 3)
    assert probe(str(path)) == probe(path)


def test_no_audio_and_an_odd_size(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "x.mp4", 5, size=(183, 97), pixel_format="yuv444p", audio=False
    )
    info = probe(path)
    assert (info.width, info.height, info.has_audio) == (183, 97, False)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_rotation(clockwise: int, mirror: bool, tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "x.mp4",
        3,
        turn=clockwise // 90,
        matrix=turn_matrix(clockwise, mirror),
    )
    info = probe(path)
    assert (info.width, info.height) == (168, 96)
    assert (info.rotation, info.mirrored) == (clockwise, mirror)
    stored = (168, 96) if clockwise == 180 else (96, 168)
    assert (info.stored_width, info.stored_height) == stored


def test_a_turn_that_is_not_a_quarter_is_ignored_with_a_warning(tmp_path: Path) -> None:
    matrix = [46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30]
    info = probe(write_clip(tmp_path / "x.mp4", 3, matrix=matrix))
    assert (info.rotation, info.width) == (0, 168)
    assert any("quarter turn" in warning for warning in info.warnings)


def test_anamorphic(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 3, size=(120, 90), aspect=Fraction(4, 3))
    info = probe(path)
    assert (info.width, info.height) == (160, 90)
    assert info.sample_aspect_ratio == Fraction(4, 3)
    assert info.stored_width == 120


def test_variable_frame_rate(tmp_path: Path) -> None:
    times = [Fraction(k, 30) for k in range(20)]
    times += [times[-1] + Fraction(k, 10) for k in range(1, 11)]
    info = probe(write_clip(tmp_path / "x.mp4", times=times))
    assert info.variable_frame_rate
    assert float(info.fps) == pytest.approx(29 / float(times[-1]), rel=1e-3)
    assert info.num_frames == 30


def test_one_picture(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "x.mp4", 1, audio=False))
    assert (info.num_frames, info.fps) == (1, 25)
    assert info.duration_seconds == pytest.approx(0.04)


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts"])
def test_a_clock_that_starts_late_counts_from_zero(
    extension: str, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "x.mp4", 50, audio=False)
    late = tmp_path / f"late.{extension}"
    ffmpeg("-i", clip, "-c", "copy", "-output_ts_offset", "5", late)
    info = probe(late)
    assert info.start_seconds == pytest.approx(0, abs=0.002)
    assert info.duration_seconds == pytest.approx(2, abs=0.045)


def test_pictures_that_start_after_the_sound(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 50)
    late = tmp_path / "late.mp4"
    both = ("-i", clip, "-itsoffset", "1.5", "-i", clip)
    ffmpeg(*both, "-map", "0:a", "-map", "1:v", "-c", "copy", late)
    info = probe(late)
    assert info.start_seconds == pytest.approx(1.5, abs=0.03)
    assert info.duration_seconds == pytest.approx(3.5, abs=0.05)


def test_sound_that_is_longer_does_not_lengthen_the_pictures(tmp_path: Path) -> None:
    short = write_clip(tmp_path / "short.mp4", 25, audio=False)
    long = write_clip(tmp_path / "long.mp4", 100)
    both = tmp_path / "both.mp4"
    ffmpeg(*("-i", short, "-i", long, "-map", "0:v", "-map", "1:a", "-c", "copy"), both)
    assert probe(both).duration_seconds == pytest.approx(1, abs=0.03)


def test_what_an_edit_list_hides_is_not_counted(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 100, options={"g": "40"}, audio=False)
    cut = tmp_path / "cut.mp4"
    ffmpeg("-ss", "1.0", "-i", clip, "-c", "copy", cut)
    assert probe(cut).num_frames == 75


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 200, options={"g": "20"})
    moved = tmp_path / "moved.mp4"
    ffmpeg("-i", clip, "-c", "copy", "-movflags", "+faststart", moved)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(moved.read_bytes()[: moved.stat().st_size * 6 // 10])
    info = probe(cut)
    assert 50 < info.num_frames < 190
    assert info.duration_seconds < 7.8
    assert any("cut off" in warning for warning in info.warnings)


def test_damage_in_the_middle_is_survived(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 200, options={"g": "20"}, audio=False)
    content = bytearray(path.read_bytes())
    middle = content.find(b"mdat") + (content.find(b"moov") // 2)
    content[middle : middle + 400] = np.random.default_rng(1).bytes(400)
    path.write_bytes(content)
    sample = sample_frames(path, 50)
    assert 180 < sample.video.num_frames < 200  # those that can't be decoded are gone
    assert sample.indices[0] == 0
    assert sample.indices[-1] == sample.video.num_frames - 1


def test_no_picture_that_decodes_is_no_video(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", 20, audio=False)
    content = bytearray(path.read_bytes())
    start, end = content.find(b"mdat") + 4, content.find(b"moov") - 4
    content[start:end] = bytes(end - start)
    path.write_bytes(content)
    with pytest.raises(VideoError, match="can be decoded"):
        probe(path)


def test_a_bare_stream_has_no_clock_but_can_be_read(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 40, audio=False)
    bare = tmp_path / "x.h264"
    ffmpeg("-i", clip, "-c", "copy", bare)
    info = probe(bare)
    assert (info.num_frames, info.fps) == (40, 25)
    assert info.duration_seconds == pytest.approx(1.6)


def test_two_recordings_glued_together_go_on(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 50, audio=False)
    part = tmp_path / "part.ts"
    ffmpeg("-i", clip, "-c", "copy", part)
    glued = tmp_path / "glued.ts"
    glued.write_bytes(part.read_bytes() * 2)
    info = probe(glued)
    assert info.num_frames == 100
    assert info.duration_seconds == pytest.approx(4, abs=0.2)
    assert any("jumps" in warning for warning in info.warnings)
    assert len(read_timeline(glued).jumps) == 1


def test_an_unchanged_file_is_read_once_and_a_changed_one_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import stablechat.video._inspect as module

    looked: list[object] = []
    real: Callable[..., object] = module._inspect_in_child

    def counting(*arguments: object) -> object:
        looked.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(module, "_inspect_in_child", counting)
    path = write_clip(tmp_path / "x.mp4", 5)
    info = probe(path)
    sample_frames(info, 2)
    with FrameReader(info) as reader:
        reader.at(0)
    assert len(looked) == 1
    write_clip(path, 7)
    assert probe(path).num_frames == 7


def timeline(times: list[float], tick: float = 1e-5, last: float = 0.04) -> Timeline:
    seconds = np.array(times)
    empty = np.array([], np.int64)
    ticks = np.round(seconds / tick).astype(np.int64)
    return Timeline(ticks, seconds, times[-1] + last, tick, True, empty, empty)


def test_a_lying_header_does_not_set_the_rate() -> None:
    steady = timeline([k / 25 for k in range(50)])
    assert average_fps(steady, (Fraction(1000), Fraction(25)), False) == 25
    assert average_fps(steady, (Fraction(1000),), False) == 25
    single = timeline([0.0], last=0.5)
    assert average_fps(single, (), False) == 2
    assert average_fps(timeline([0.0], last=0), (), False) == FALLBACK_FPS


def test_rounded_times_and_one_dropped_picture_are_not_variable() -> None:
    rounded = timeline([round(k / 30, 3) for k in range(50)], tick=0.001)
    assert not is_variable(rounded)
    assert average_fps(rounded, (Fraction(30),), False) == 30
    assert not is_variable(timeline([0.0, *(k / 25 for k in range(2, 50))]))
    assert is_variable(timeline([0.0, 0.04, 0.08, 5.0, 5.04]))


@pytest.mark.parametrize(
    ("first", "last", "hidden"),
    [
        (0b10_00_0_0_1_0, 0, False),  # profile 0, key, shown
        (0b10_00_0_0_0_0, 0, True),  # not shown
        (0b10_00_1_0_0_0, 0, False),  # shows an earlier picture again
        (0b10_00_0_0_0_0, 0xC1, False),  # a superframe shows its last picture
        (0b10_11_0_0_0_1, 0, False),  # profile 3 is one bit longer
        (0b10_11_0_0_0_0, 0, True),
    ],
)
def test_vp9_pictures_that_are_not_shown(first: int, last: int, hidden: bool) -> None:
    assert _is_hidden_vp9(first, last) is hidden


def test_a_stream_that_appears_on_the_way_does_no_harm(tmp_path: Path) -> None:
    parts = []
    for k, audio in enumerate([False, True]):
        clip = write_clip(tmp_path / f"{k}.mp4", 50, audio=audio)
        ffmpeg("-i", clip, "-c", "copy", tmp_path / f"{k}.ts")
        parts.append((tmp_path / f"{k}.ts").read_bytes())
    path = tmp_path / "x.ts"
    path.write_bytes(parts[0] * 8 + parts[1])
    assert probe(path).num_frames == 450


def test_the_timeline_says_when_each_picture_is_shown(tmp_path: Path) -> None:
    times = [Fraction(0), Fraction(1, 10), Fraction(1)]
    clip = write_clip(tmp_path / "x.mp4", times=times, audio=False)
    moved = tmp_path / "moved.ts"
    ffmpeg("-i", clip, "-c", "copy", "-muxdelay", "0", "-output_ts_offset", "5", moved)
    for path, origin in ((clip, 0.0), (moved, 5.0)):
        timeline = read_timeline(path)
        assert timeline.seconds == pytest.approx([0, 0.1, 1])
        assert timeline.origin_seconds == pytest.approx(origin, abs=0.1)
        assert [timeline.index_at(t) for t in (0.05, 0.5, 9)] == [0, 1, 2]


@pytest.mark.parametrize("offset", ["0", "1.4", "5", "94321.7"])
def test_a_video_that_begins_with_its_container_begins_at_zero(
    tmp_path: Path, offset: str
) -> None:
    clip = write_clip(tmp_path / "x.mp4", 10, rate=30, audio=False)
    moved = tmp_path / "moved.ts"
    ffmpeg("-i", clip, "-c", "copy", "-output_ts_offset", offset, moved)
    assert probe(moved).start_seconds == 0.0  # and not 2e-16
