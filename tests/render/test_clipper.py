"""Finished clips, decoded again and compared with what went in."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import moviepy.video.io.ffmpeg_writer as moviepy_writer
import numpy as np
import pytest
from render_clips import (
    RED,
    number_of,
    read_clip,
    red_extent,
    regular,
    write_source,
)

from render.boxes import BoxStyle
from render.clipper import ClipOptions, cut_clip
from render.plan import MIN_CLIP_SECONDS
from stablechat.errors import CancelledError, InputError, RenderError
from stablechat.types import Generation, Grounding, TimeSpan, Tube, VideoInfo
from stablechat.video import probe

STYLE = BoxStyle(color_rgb=RED, corners=False)
OPTIONS = ClipOptions(label=False, style=STYLE, crf=6, preset="ultrafast")


def grounding(
    video: VideoInfo, span: tuple[float, float] | None, tube: Tube | None = None
) -> Grounding:
    return Grounding(
        video=video,
        query="the red circle",
        task="stvg",
        span=None if span is None else TimeSpan(*span),
        tube=tube,
        prose="",
        confidence=None,
        generation=Generation("", (), "stop"),
    )


def moving_tube(start: float, end: float) -> Tube:
    return Tube(
        np.array([start, end]),
        np.array([[20.0, 15.0, 70.0, 60.0], [60.0, 25.0, 112.0, 80.0]]),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def plain(folder: Path) -> VideoInfo:
    """2 s at 25 pictures a second; flash and beep at 1.2 s."""
    path = folder / "plain.mp4"
    times = regular(25, 2)
    write_source(path, times, rate=25, flash_at=1.2, sound=(0, 2), beep=1.2)
    return probe(path)


@pytest.mark.parametrize(
    ("name", "rate", "size", "rotation"),
    [
        ("plain.mp4", 25, (160, 120), 0),
        ("ntsc.mp4", Fraction(30000, 1001), (160, 120), 0),
        ("film.mkv", Fraction(24000, 1001), (160, 120), 0),  # times in milliseconds
        ("quick.mkv", 60, (160, 120), 0),
        ("odd.mp4", 30, (161, 121), 0),
        ("phone.mp4", 30, (120, 160), 90),
        ("upside.mp4", 30, (160, 120), 180),
        ("left.mp4", 30, (120, 160), 270),
    ],
)
def test_pictures_and_boxes_are_the_ones_of_the_span(
    tmp_path: Path,
    name: str,
    rate: Fraction | int,
    size: tuple[int, int],
    rotation: int,
) -> None:
    width, height = size
    times = regular(rate, 2)
    source = write_source(
        tmp_path / name, times, width=width, height=height, rotation=rotation, rate=rate
    )
    video = probe(source)
    assert (video.width, video.height) == size
    first, last = round(0.4 * rate), round(1.5 * rate)
    tube = moving_tube(times[first], times[last])

    asked = grounding(video, (times[first], times[last]), tube)
    clip = cut_clip(asked, tmp_path / "out.mp4", options=OPTIONS)

    made = read_clip(clip.path)
    numbers = [number_of(f, width, height) for f in made.frames]
    assert numbers == list(range(first, last + 1))
    assert np.allclose(made.times, regular(rate, 2)[: len(numbers)], atol=1e-3)
    assert (clip.width, clip.height) == (width + width % 2, height + height % 2)
    assert clip.num_frames == len(numbers)
    for number, frame in zip(numbers, made.frames, strict=True):
        box = tube.at(times[number])
        assert box is not None
        seen = red_extent(frame)
        assert seen is not None, f"no box on picture {number}"
        assert np.allclose(seen, box, atol=3.1), number


def test_variable_rate_shows_each_moments_picture(tmp_path: Path) -> None:
    # 1 s at 30 a second, then 1 s at 10.
    times = regular(30, 1) + regular(10, 1, start=1.0)
    video = probe(write_source(tmp_path / "vfr.mp4", times, rate=30))
    assert video.variable_frame_rate
    tube = moving_tube(times[15], times[36])

    clip = cut_clip(
        grounding(video, (times[15], times[36]), tube),
        tmp_path / "out.mp4",
        options=OPTIONS,
    )

    made = read_clip(clip.path)
    for time, frame in zip(made.times, made.frames, strict=True):
        moment = times[15] + time
        shown = int(np.searchsorted(times, moment + 2e-3, side="right")) - 1
        assert number_of(frame, 160, 120) == shown
        box, seen = tube.at(times[shown]), red_extent(frame)
        assert box is not None and seen is not None
        assert np.allclose(seen, box, atol=3.1)
    assert number_of(made.frames[-1], 160, 120) == 36
    assert np.allclose(np.diff(made.times), 1 / 30, atol=1e-3)


def test_no_box_where_the_tube_is_absent(tmp_path: Path, plain: VideoInfo) -> None:
    clip = cut_clip(
        grounding(plain, (0.4, 1.6), moving_tube(0.8, 1.2)),
        tmp_path / "out.mp4",
        options=OPTIONS,
    )
    made = read_clip(clip.path)
    boxed = [number_of(f, 160, 120) for f in made.frames if red_extent(f) is not None]
    assert boxed == list(range(20, 31))


def test_first_picture_has_its_box_when_the_span_starts_inside_it(
    tmp_path: Path, plain: VideoInfo
) -> None:
    tube = moving_tube(0.813, 1.2)  # picture 20 is on screen from 0.8 to 0.84
    clip = cut_clip(
        grounding(plain, (0.813, 1.2), tube), tmp_path / "out.mp4", options=OPTIONS
    )
    made = read_clip(clip.path)
    assert number_of(made.frames[0], 160, 120) == 20
    assert red_extent(made.frames[0]) is not None


def test_boxes_can_be_left_out(tmp_path: Path, plain: VideoInfo) -> None:
    clip = cut_clip(
        grounding(plain, (0.8, 1.2), moving_tube(0.8, 1.2)),
        tmp_path / "out.mp4",
        options=replace(OPTIONS, draw_boxes=False),
    )
    assert all(red_extent(f) is None for f in read_clip(clip.path).frames)


def test_plays_in_a_browser(tmp_path: Path, plain: VideoInfo) -> None:
    clip = cut_clip(grounding(plain, (0.4, 1.6)), tmp_path / "out.mp4")
    made = read_clip(clip.path)
    assert (made.codec, made.pixel_format, made.audio_codec) == (
        "h264",
        "yuv420p",
        "aac",
    )
    content = clip.path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    assert stat.S_IMODE(clip.path.stat().st_mode) & 0o444 == 0o444 & ~_umask()
    assert made.times[0] == 0.0


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_colors_survive(tmp_path: Path, plain: VideoInfo) -> None:
    box = Tube(np.array([0.0, 2.0]), np.array([[30.0, 20.0, 130.0, 80.0]] * 2))
    color = (40, 200, 90)
    style = BoxStyle(color_rgb=color, line_scale=6, corners=False)
    clip = cut_clip(
        grounding(plain, (0.4, 0.6), box),
        tmp_path / "out.mp4",
        options=replace(OPTIONS, style=style),
    )
    with av.open(str(clip.path)) as container:
        context = container.streams.video[0].codec_context
        assert (int(context.colorspace), int(context.color_range)) == (1, 1)
        frame = next(container.decode(video=0))
        pixels = frame.to_ndarray(format="rgb24", src_colorspace="ITU709")
    assert np.allclose(pixels[20, 60:100].mean(0), color, atol=6)


@pytest.mark.parametrize("name", ["sync.mp4", "sync.mkv"])
@pytest.mark.parametrize(
    "sound",
    [(0.0, 2.0), (1.0, 2.0), (0.0, 1.5), (0.0, 3.0)],
    ids=["whole", "starts late", "ends early", "ends late"],
)
def test_sound_is_in_sync(
    tmp_path: Path, name: str, sound: tuple[float, float]
) -> None:
    source = write_source(
        tmp_path / name, regular(30, 2), flash_at=1.2, sound=sound, beep=1.2
    )
    clip = cut_clip(
        grounding(probe(source), (0.437, 1.9)), tmp_path / "out.mp4", options=OPTIONS
    )
    made = read_clip(clip.path)
    assert made.sound is not None
    assert made.flash() == pytest.approx(1.2 - 13 / 30, abs=1e-3)
    assert made.onset() == pytest.approx(made.flash(), abs=0.005)
    length = made.sound_start + len(made.sound) / 48000
    assert length == pytest.approx(clip.num_frames / 30, abs=0.03)


def test_sound_that_starts_late_stays_late(tmp_path: Path) -> None:
    source = write_source(
        tmp_path / "late.mp4", regular(30, 2), sound=(1.0, 2.0), beep=None
    )
    clip = cut_clip(
        grounding(probe(source), (0.5, 1.9)), tmp_path / "out.mp4", options=OPTIONS
    )
    assert read_clip(clip.path).onset() == pytest.approx(0.5, abs=1 / 30)


def test_pictures_that_start_late_keep_their_sound(tmp_path: Path) -> None:
    source = write_source(
        tmp_path / "late.mkv",
        regular(30, 2, start=0.5),
        flash_at=1.5,
        sound=(0, 2.5),
        beep=1.5,
    )
    video = probe(source)
    assert video.start_seconds == pytest.approx(0.5, abs=0.03)
    clip = cut_clip(grounding(video, (0.2, 2.0)), tmp_path / "out.mp4", options=OPTIONS)
    made = read_clip(clip.path)
    assert made.onset() == pytest.approx(made.flash(), abs=1 / 30)
    assert made.flash() == pytest.approx(1.3, abs=1 / 30)


def test_no_sound_in_no_sound_out(tmp_path: Path) -> None:
    video = probe(write_source(tmp_path / "mute.mp4", regular(30, 1)))
    clip = cut_clip(grounding(video, (0.2, 0.8)), tmp_path / "out.mp4")
    assert not clip.has_audio
    assert read_clip(clip.path).sound is None


def test_span_without_sound_in_a_video_with_sound_is_silent(tmp_path: Path) -> None:
    source = write_source(
        tmp_path / "late.mp4", regular(30, 2), sound=(1.5, 2.0), beep=None
    )
    clip = cut_clip(
        grounding(probe(source), (0.2, 1.0)), tmp_path / "out.mp4", options=OPTIONS
    )
    made = read_clip(clip.path)
    assert clip.has_audio
    assert made.onset(0.001) == float("inf")


def test_long_film_rate_does_not_drift(tmp_path: Path) -> None:
    rate = Fraction(24000, 1001)  # MoviePy alone writes 23.98: 10 ms a minute
    source = write_source(tmp_path / "film.mp4", regular(rate, 10), rate=rate)
    clip = cut_clip(
        grounding(probe(source), (0, 10)), tmp_path / "out.mp4", options=OPTIONS
    )
    made = read_clip(clip.path)
    assert made.times[-1] == pytest.approx(
        float((len(made.times) - 1) / rate), abs=1e-4
    )


@pytest.mark.parametrize(
    "span",
    [(0.5, 0.5), (0.0, 0.0), (2.0, 2.0), (1.96, 1.97), (7.0, 9.0)],
    ids=["empty", "at 0", "at the end", "shorter than a picture", "after the end"],
)
def test_short_spans_still_play(
    tmp_path: Path, plain: VideoInfo, span: tuple[float, float]
) -> None:
    clip = cut_clip(grounding(plain, span), tmp_path / "out.mp4", options=OPTIONS)
    made = read_clip(clip.path)
    assert len(made.frames) / 25 == pytest.approx(MIN_CLIP_SECONDS)
    assert clip.span.end_seconds <= plain.duration_seconds + 1e-6
    if span[0] <= 1:
        assert number_of(made.frames[0], 160, 120) == int(span[0] * 25)


def test_one_picture_video(tmp_path: Path) -> None:
    video = probe(write_source(tmp_path / "one.mp4", [0.0]))
    clip = cut_clip(grounding(video, (0, 0)), tmp_path / "out.mp4", options=OPTIONS)
    assert len(read_clip(clip.path).frames) == clip.num_frames >= 1


def test_whole_video(tmp_path: Path, plain: VideoInfo) -> None:
    clip = cut_clip(
        grounding(plain, (0.0, plain.duration_seconds)), tmp_path / "out.mp4"
    )
    assert clip.num_frames == plain.num_frames
    assert clip.span == TimeSpan(0.0, 2.0)


def test_padding_is_clamped(tmp_path: Path, plain: VideoInfo) -> None:
    clip = cut_clip(
        grounding(plain, (0.4, 1.2)),
        tmp_path / "out.mp4",
        options=replace(OPTIONS, pad_seconds=0.6),
    )
    numbers = [number_of(f, 160, 120) for f in read_clip(clip.path).frames]
    assert numbers == list(range(0, 46))


def test_without_a_span_the_tube_is_cut(tmp_path: Path, plain: VideoInfo) -> None:
    clip = cut_clip(
        grounding(plain, None, moving_tube(0.8, 1.2)),
        tmp_path / "out.mp4",
        options=OPTIONS,
    )
    assert clip.num_frames == 11


def test_nothing_to_cut(tmp_path: Path, plain: VideoInfo) -> None:
    with pytest.raises(RenderError, match="nothing to cut"):
        cut_clip(grounding(plain, None), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_large_videos_are_scaled_and_boxes_with_them(
    tmp_path: Path, plain: VideoInfo
) -> None:
    tube = moving_tube(0.4, 1.2)
    clip = cut_clip(
        grounding(plain, (0.4, 1.2), tube),
        tmp_path / "out.mp4",
        options=replace(OPTIONS, max_side=80),
    )
    assert (clip.width, clip.height) == (80, 60)
    seen = red_extent(read_clip(clip.path).frames[0])
    assert np.allclose(seen, tube.xyxy[0] / 2, atol=3.1)


def test_progress_rises_to_one_and_nothing_is_printed(
    tmp_path: Path,
    plain: VideoInfo,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    seen: list[float] = []
    out = tmp_path / "made" / "out.mp4"
    cut_clip(
        grounding(plain, (0.4, 1.2)), out, options=OPTIONS, on_progress=seen.append
    )
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) > 10
    assert capfd.readouterr() == ("", "")
    assert list(elsewhere.iterdir()) == []
    assert list(out.parent.iterdir()) == [out]


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


@pytest.mark.parametrize("name", ["-dash.mp4", "a b'c.mp4", "concat:a.mp4", "影片.mp4"])
def test_awkward_names(tmp_path: Path, plain: VideoInfo, name: str) -> None:
    clip = cut_clip(grounding(plain, (0.4, 0.6)), tmp_path / name, options=OPTIONS)
    assert clip.path.is_file()
    assert [p.name for p in tmp_path.iterdir()] == [name]


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


def test_only_the_clipper_imports_moviepy() -> None:
    root = Path(__file__).parents[2]
    folders = ("stablechat", "render", "evaluation", "training", "benchmarks")
    files = [
        *root.glob("*.py"),
        *(f for d in folders for f in (root / d).rglob("*.py")),
    ]
    importing = re.compile(r"^\s*(from|import) moviepy", re.MULTILINE)
    found = [f.name for f in files if importing.search(f.read_text())]
    assert found == ["clipper.py"]
