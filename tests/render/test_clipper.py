"""Finished clips, decoded again and compared with what went in.

See test_clipper_sound.py and test_clipper_failures.py, too.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from render_clips import (
    RED,
    number_of,
    read_clip,
    red_extent,
    regular,
    run_ffmpeg,
    write_source,
)

from render.boxes import BoxStyle
from render.clipper import ClipOptions, cut_clip
from render.plan import MIN_CLIP_SECONDS
from stablechat.types import Generation, Grounding, TimeSpan, Tube, VideoInfo
from stablechat.video import FrameReader, probe

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
        # As a player takes a small picture that says nothing, and it is said.
        assert (int(context.colorspace), int(context.color_range)) == (6, 1)
        frame = next(container.decode(video=0))
        pixels = frame.to_ndarray(format="rgb24", src_colorspace="ITU601")
    assert np.allclose(pixels[20, 60:100].mean(0), color, atol=6)


def test_full_range_becomes_what_every_player_knows(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    picture = "color=c=white:size=160x120:rate=25:duration=1"
    run_ffmpeg("-f", "lavfi", "-i", picture, "-pix_fmt", "yuvj420p", source)
    clip = cut_clip(grounding(probe(source), (0.0, 0.4)), tmp_path / "out.mp4")
    made = probe(clip.path)
    assert made.pixel_format == "yuv420p"
    with FrameReader(made) as reader:
        assert np.allclose(reader.at(0.1), 255, atol=4)


@pytest.mark.parametrize("matrix", ["smpte170m", "bt709"])
def test_planes_are_passed_on_to_the_bit(tmp_path: Path, matrix: str) -> None:
    picture = "testsrc2=size=160x120:rate=25:duration=1"
    tags = ["-colorspace", matrix, "-color_primaries", "bt709", "-color_trc", "bt709"]
    source = tmp_path / "source.mp4"
    run_ffmpeg("-f", "lavfi", "-i", picture, "-pix_fmt", "yuv420p", *tags, source)
    video = probe(source)
    tube = Tube(np.array([0.0, 1.0]), np.array([[30.0, 20.0, 70.0, 60.0]] * 2))
    clip = cut_clip(
        grounding(video, (0.0, 0.4), tube),
        tmp_path / "out.mp4",
        options=replace(OPTIONS, crf=0),
    )
    with (
        FrameReader(video, pixel_format="yuv420p") as before,
        FrameReader(probe(clip.path), pixel_format="yuv420p") as after,
    ):
        assert after.color == before.color
        assert before.color.matrix == ("bt709" if matrix == "bt709" else "bt601")
        for index in (0, 5, 9):
            changed = before.at(index / 25 + 0.01) != after.at(index / 25 + 0.01)
            rows, columns = np.nonzero(changed[:120])
            assert 26 <= columns.min() and columns.max() < 74
            assert 16 <= rows.min() and rows.max() < 64
            chroma = changed[120:].reshape(2, 60, 80)
            assert not chroma[:, :8].any() and not chroma[:, :, 37:].any()


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
        options=replace(OPTIONS, pad_before_seconds=0.6, pad_after_seconds=0.6),
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
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) > 1
    assert capfd.readouterr() == ("", "")
    assert list(elsewhere.iterdir()) == []
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("name", ["-dash.mp4", "a b'c.mp4", "concat:a.mp4", "影片.mp4"])
def test_awkward_names(tmp_path: Path, plain: VideoInfo, name: str) -> None:
    clip = cut_clip(grounding(plain, (0.4, 0.6)), tmp_path / name, options=OPTIONS)
    assert clip.path.is_file()
    assert [p.name for p in tmp_path.iterdir()] == [name]


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
