"""Frames to visual tokens, in steps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import golden_files
import numpy as np
import pytest
import torch

from stablechat import encoding
from stablechat.encoding import encode_frames, frames_per_step
from stablechat.errors import CancelledError, InputError

MODEL = golden_files.loaded().model
FRAMES = golden_files.video_frames()
ROOT = Path(__file__).resolve().parents[1]


def encode(frames: np.ndarray = FRAMES, **options: Any) -> torch.Tensor:
    chosen = {"on_progress": lambda share: None, "cancelled": lambda: False, **options}
    return encode_frames(MODEL, frames, **chosen)


def test_steps_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = encode()
    monkeypatch.setitem(encoding.FRAMES_PER_STEP, "cpu", 25)
    torch.testing.assert_close(encode(), expected, atol=1e-5, rtol=1e-4)


def test_progress_rises_to_the_end() -> None:
    seen: list[float] = []
    encode(on_progress=seen.append)
    assert seen == pytest.approx([i / 10 for i in range(11)])


def test_stop_takes_effect_between_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    tower = MODEL.tower_features
    monkeypatch.setattr(
        MODEL, "tower_features", lambda pixels: steps.append(1) or tower(pixels)
    )
    with pytest.raises(CancelledError):
        encode(cancelled=lambda: len(steps) == 2)
    assert len(steps) == 2


@pytest.mark.parametrize("count", [2, 7, 137])
def test_another_number_of_frames_is_resampled(count: int) -> None:
    frames = np.resize(FRAMES, (count, *FRAMES.shape[1:]))
    rows = [round(i / 99 * (count - 1)) for i in range(100)]
    assert torch.equal(encode(frames), encode(frames[rows]))


def test_both_ways_of_resizing_give_nearly_the_same() -> None:
    frames = np.repeat(FRAMES, 2, axis=1)  # so that there is something to resize
    exact, device = (encode(frames, preprocessing=k) for k in ("exact", "device"))
    assert not torch.equal(exact, device)
    difference = (exact - device).abs().mean()
    assert difference < 0.01 * exact.abs().mean()


def test_an_unknown_way_of_resizing() -> None:
    with pytest.raises(InputError, match="no preprocessing 'pil'"):
        encode(preprocessing="pil")


@pytest.mark.parametrize(
    ("steps_of_room", "expected"), [(1000, 10), (9, 5), (5, 5), (3, 2), (1, 1), (0, 1)]
)
def test_steps_fit_the_memory_and_divide_the_frames(
    steps_of_room: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = encoding.encoding_bytes(MODEL, torch.float32) + 5 * 300
    free = int(steps_of_room * each / encoding._STEP_SHARE) + 1
    monkeypatch.setattr(encoding, "unused_bytes", lambda device: free)
    assert frames_per_step(MODEL, 300) == expected


def test_no_video_library_is_needed() -> None:
    script = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('av', 'cv2', 'moviepy'), None))\n"
        "import stablechat.encoding, stablechat.generation, stablechat.loader"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
