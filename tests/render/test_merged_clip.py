"""Several moments as one clip: the right pictures, boxes and sound, part by part."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from render_clips import (
    SOUND_RATE,
    number_of,
    read_clip,
    red_extent,
    regular,
    write_source,
)
from test_clipper import grounding, moving_tube

from render.boxes import BoxStyle
from render.clipper import ClipOptions, merge_clips
from stablechat.errors import CancelledError, RenderError
from stablechat.types import TimeSpan, VideoInfo
from stablechat.video import probe

OPTIONS = ClipOptions(crf=12, label=False, style=BoxStyle(color_rgb=(255, 0, 0)))
FLASH_SECONDS = 1.2


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    """4 s at 25 pictures a second; flash and beep at 1.2 s."""
    path = tmp_path_factory.mktemp("sources") / "source.mp4"
    write_source(
        path,
        regular(25, 4),
        rate=25,
        flash_at=FLASH_SECONDS,
        sound=(0, 4),
        beep=FLASH_SECONDS,
    )
    return probe(path)


def test_parts_follow_each_other(tmp_path: Path, source: VideoInfo) -> None:
    parts = [
        grounding(source, (2.0, 2.4), moving_tube(2.0, 2.4)),
        grounding(source, (0.4, 0.8)),
        grounding(source, (3.0, 3.4), moving_tube(3.0, 3.4)),
    ]
    told: list[float] = []
    clip = merge_clips(
        parts, tmp_path / "all.mp4", options=OPTIONS, on_progress=told.append
    )
    made = read_clip(clip.path)
    numbers = [number_of(frame, 160, 120) for frame in made.frames]
    assert numbers == [*range(50, 61), *range(10, 21), *range(75, 86)]
    boxed = [red_extent(frame) is not None for frame in made.frames]
    assert boxed == [True] * 11 + [False] * 11 + [True] * 11
    assert clip.num_frames == 33
    assert clip.span == TimeSpan(2.0, 2.0 + 33 / 25)
    assert np.allclose(np.diff(made.times), 1 / 25, atol=1e-3)
    assert told == sorted(told) and told[-1] == 1.0


def test_sound_stays_with_its_pictures_over_many_joints(
    tmp_path: Path, source: VideoInfo
) -> None:
    """Lengths that are no whole number of AAC frames, forty times."""
    parts = [grounding(source, (1.0, 1.0 + 0.48 + 0.04 * (n % 3))) for n in range(40)]
    clip = merge_clips(parts, tmp_path / "all.mp4", options=OPTIONS)
    made = read_clip(clip.path)
    assert made.sound is not None
    flashes = [
        time
        for time, frame in zip(made.times, made.frames, strict=True)
        if frame[4:20, 4:20].mean() > 160
    ]
    loud = np.flatnonzero(np.abs(made.sound) > 0.1) / SOUND_RATE + made.sound_start
    onsets = loud[np.diff(loud, prepend=-1.0) > 0.1]
    assert len(flashes) == len(onsets) == 40
    assert np.abs(onsets - flashes).max() < 0.005
    assert len(made.sound) / SOUND_RATE == pytest.approx(made.times[-1], abs=0.1)


def test_a_varying_rate_becomes_one_that_suits_all_parts(tmp_path: Path) -> None:
    times = [*regular(10, 2), *regular(30, 2, start=2.0)]
    path = write_source(tmp_path / "vfr.mp4", times, rate=30)
    video = probe(path)
    assert video.variable_frame_rate
    clip = merge_clips(
        [grounding(video, (0.5, 1.5)), grounding(video, (2.5, 3.5))],
        tmp_path / "all.mp4",
        options=OPTIONS,
    )
    assert probe(clip.path).fps == Fraction(30)
    numbers = [number_of(f, 160, 120) for f in read_clip(clip.path).frames]
    assert set(numbers) == {*range(5, 16), *range(35, 66)}


def test_one_answer_of_several_may_be_empty_handed(
    tmp_path: Path, source: VideoInfo
) -> None:
    with pytest.raises(RenderError, match="nothing to cut"):
        merge_clips(
            [grounding(source, (0, 1)), grounding(source, None)], tmp_path / "all.mp4"
        )
    assert os.listdir(tmp_path) == []


def test_answers_about_several_videos_are_refused(
    tmp_path: Path, source: VideoInfo
) -> None:
    other = grounding(replace(source, path=Path("other.mp4")), (0, 1))
    for parts in ([grounding(source, (0, 1)), other], []):
        with pytest.raises(RenderError, match="one video"):
            merge_clips(parts, tmp_path / "all.mp4")


def test_a_stop_between_parts_leaves_nothing(tmp_path: Path, source: VideoInfo) -> None:
    told: list[float] = []
    with pytest.raises(CancelledError):
        merge_clips(
            [grounding(source, (0, 3))] * 60,
            tmp_path / "all.mp4",
            on_progress=told.append,
            cancelled=lambda: bool(told) and told[-1] > 0.05,
        )
    assert os.listdir(tmp_path) == []
