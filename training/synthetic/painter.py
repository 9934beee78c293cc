"""One scene, frame by frame, at any size: what goes into the video files.

Draws each object only where it is, so that a laptop can make hundreds of videos.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.synthetic.raster import draw_backdrop
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
    states = states_at(scene, frame_times(num_frames))
    backdrop = draw_backdrop(scene, height, width)[0]
    for index in range(num_frames):
        frame = backdrop.clone()
        for k in range(scene.exists.shape[1]):
            if states.shown[0, index, k]:
                _lay_over(
                    frame,
                    scene,
                    k,
                    states.center[0, index, k].tolist(),
                    states.half[0, index, k].tolist(),
                )
        picture = frame.permute(1, 2, 0).numpy() * 255
        tile = tiles[rng.integers(_NOISE_TILES)]
        shift = tuple(rng.integers(0, (height, width)))
        picture = picture + np.roll(tile, shift, axis=(0, 1))
        yield np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def frame_times(num_frames: int) -> Tensor:
    """Unit times ``(1, num_frames)`` of a video's pictures."""
    return torch.linspace(0, 1, num_frames).unsqueeze(0)


def _lay_over(
    frame: Tensor, scene: Scenes, k: int, center: list[float], half: list[float]
) -> None:
    """Paint object ``k`` onto ``(3, H, W)``, in place."""
    height, width = frame.shape[1:]
    columns = _pixels(center[0], half[0], width)
    rows = _pixels(center[1], half[1], height)
    x = ((columns + 0.5) / width - center[0]) / half[0]
    y = ((rows + 0.5) / height - center[1]) / half[1]
    outline = DISTANCES[int(scene.shape[0, k])]
    local_y, local_x = torch.meshgrid(y, x, indexing="ij")
    alpha = coverage(outline(local_x, local_y), half[0] * width)
    ink = (torch.tensor(COLOR_RGB[int(scene.color[0, k])]) + scene.tint[0, k]).clamp(
        0, 1
    )
    top, left = int(rows[0]), int(columns[0])
    area = frame[:, top : top + len(rows), left : left + len(columns)]
    area += (ink.view(3, 1, 1) - area) * alpha


def _pixels(center: float, half: float, size: int) -> Tensor:
    """Indices of the pixels that an object can touch along one axis."""
    first = max(int((center - half) * size) - 1, 0)
    last = min(int((center + half) * size) + 2, size)
    return torch.arange(first, max(last, first + 1))
