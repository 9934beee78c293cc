"""One scene, frame by frame, at any size: what goes into the video files.

Draws each object only where it is, so that a laptop can make hundreds of videos.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.synthetic.raster import (
    SAMPLES,
    draw_backdrop,
    exposed_times,
    inside_window,
    shift_backdrop,
)
from training.synthetic.shapes import DISTANCES, coverage
from training.synthetic.world import COLOR_RGB, Scenes, states_at

# Noise tiles made once for each video; a frame takes one of them at a random shift.
_NOISE_TILES = 4
# A full-size picture's noise is averaged away when the model shrinks it; it costs bits.
_NOISE_SHARE = 0.4


def paint_video(
    scene: Scenes, num_frames: int, width: int, height: int, seed: int
) -> Iterator[npt.NDArray[np.uint8]]:
    """Draw a video.

    Args:
        scene: A batch of exactly one scene.
        num_frames: Pictures to draw; they span the unit time from 0 to 1.
        width: In pixels.
        height: In pixels.
        seed: Of the pixels' noise.

    Yields:
        uint8 ``(height, width, 3)``, RGB.
    """
    rng = np.random.default_rng(seed)
    deviation = float(scene.noise[0]) * 255 * _NOISE_SHARE
    tiles = rng.normal(0, deviation, (_NOISE_TILES, height, width, 1))
    tiles = tiles.astype(np.float32)
    times = frame_times(num_frames)
    states = states_at(scene, exposed_times(scene, times))
    shifts = states.shift.unflatten(1, (-1, SAMPLES)).mean(2)
    backdrop = draw_backdrop(scene, height, width)
    window = inside_window(scene, height, width)[0]
    for index in range(num_frames):
        frame = _moved(backdrop, shifts[:, index : index + 1])
        moments = range(index * SAMPLES, (index + 1) * SAMPLES)
        for k in range(scene.exists.shape[1]):
            shown = [m for m in moments if states.shown[0, m, k]]
            if shown:
                center, half = states.center[0, shown, k], states.half[0, shown, k]
                _lay_over(frame, scene, k, center, half)
        picture = frame.permute(1, 2, 0).numpy() * 255
        tile = tiles[rng.integers(_NOISE_TILES)]
        shift = tuple(rng.integers(0, (height, width)))
        picture = picture + np.roll(tile, shift, axis=(0, 1))
        picture = picture * window.permute(1, 2, 0).numpy()
        yield np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def _moved(backdrop: Tensor, shift: Tensor) -> Tensor:
    """A picture's background ``(3, H, W)``, to be drawn on."""
    if not shift.any():
        return backdrop[0].clone()
    return shift_backdrop(backdrop, shift)[0, 0]


def frame_times(num_frames: int) -> Tensor:
    """Unit times ``(1, num_frames)`` of a video's pictures."""
    return torch.linspace(0, 1, num_frames).unsqueeze(0)


def _lay_over(
    frame: Tensor, scene: Scenes, k: int, centers: Tensor, halves: Tensor
) -> None:
    """Paint object ``k`` onto ``(3, H, W)``, in place.

    Args:
        frame: The picture.
        scene: What the object looks like.
        k: Which object.
        centers, halves: ``(S, 2)`` at the moments of the exposure at which it is seen.
    """
    height, width = frame.shape[1:]
    low, high = (centers - halves).amin(0), (centers + halves).amax(0)
    columns = _pixels(float(low[0]), float(high[0]), width)
    rows = _pixels(float(low[1]), float(high[1]), height)
    outline = DISTANCES[int(scene.shape[0, k])]
    alpha = torch.zeros(len(rows), len(columns))
    # What stands still is drawn once.
    moments, times = torch.cat([centers, halves], 1).unique(dim=0, return_counts=True)
    for (x0, y0, half_x, half_y), count in zip(moments, times.tolist(), strict=True):
        x = ((columns + 0.5) / width - x0) / half_x
        y = ((rows + 0.5) / height - y0) / half_y
        local_y, local_x = torch.meshgrid(y, x, indexing="ij")
        covered = coverage(outline(local_x, local_y), float(half_x) * width)
        alpha += covered * (count / SAMPLES)
    ink = (torch.tensor(COLOR_RGB[int(scene.color[0, k])]) + scene.tint[0, k]).clamp(
        0, 1
    )
    top, left = int(rows[0]), int(columns[0])
    area = frame[:, top : top + len(rows), left : left + len(columns)]
    area += (ink.view(3, 1, 1) - area) * alpha


def _pixels(low: float, high: float, size: int) -> Tensor:
    """Indices of the pixels that an object can touch along one axis."""
    first = min(max(int(low * size) - 1, 0), size - 1)
    last = min(int(high * size) + 2, size)
    return torch.arange(first, max(last, first + 1))
