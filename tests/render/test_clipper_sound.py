"""The sound of finished clips: in step with the pictures, or rightly absent."""

from __future__ import annotations

from pathlib import Path

import pytest
from render_clips import read_clip, regular, write_source
from test_clipper import OPTIONS, grounding

from render.clipper import cut_clip
from stablechat.video import probe


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
