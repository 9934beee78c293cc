"""Frames to visual tokens: in steps, so that memory is bounded and Stop works."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stablechat.errors import CancelledError, InputError
from stablechat.model.modeling import LlavaST
from stablechat.model.preprocess import preprocess
from stablechat.types import FloatArray, FrameArray, TimeSpan, VideoInfo
from stablechat.video.sampling import even_indices

#: Frames that go through the vision tower at once.
FRAMES_PER_STEP = 10
#: Frames of one video are kept below this while they wait for the tower.
MAX_FRAME_BYTES = 2**30
#: Videos whose visual tokens are kept (12 MB each at full size).
MAX_KEPT_VIDEOS = 8


@dataclass(frozen=True)
class EncodedVideo:
    """What the model knows of a video; its pixels are gone.

    Attributes:
        video: The video, or still image.
        pts_seconds: float64 ``(N,)``, times of the frames the model saw.
        visual: ``(tokens, hidden)``.
        is_image: Whether it was encoded as a still image.
        timings: Seconds it took, by stage.
    """

    video: VideoInfo
    pts_seconds: FloatArray
    visual: Tensor
    is_image: bool
    timings: dict[str, float]


def check_frames(frames: FrameArray) -> None:
    """Refuse what is not a stack of RGB pictures.

    Raises:
        InputError: The shape or the type is wrong.
    """
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8:
        kind = getattr(frames, "dtype", type(frames).__name__)
        raise InputError(f"frames must be a uint8 array, got {kind}.")
    if frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise InputError(f"frames must be (N, H, W, 3), got {frames.shape}.")


@torch.inference_mode()
def encode_frames(
    model: LlavaST,
    frames: FrameArray,
    *,
    on_progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> Tensor:
    """Visual tokens of a still image (one frame) or a video.

    Args:
        model: The whole model.
        frames: uint8 ``(N, H, W, 3)``. One frame is an image. A number of frames
            other than the model's own is resampled: frame ``i`` of ``n`` is
            ``round(i / (n - 1) * (N - 1))``.
        on_progress: Called with the share that is done.
        cancelled: Asked between steps.

    Returns:
        ``(tokens, hidden)``.

    Raises:
        InputError: ``frames`` is no stack of pictures.
        CancelledError: ``cancelled`` said so.
    """
    check_frames(frames)
    on_progress(0.0)
    if len(frames) == 1:
        _stop_if(cancelled)
        return model.encode_images(_pixels(model, frames))[0]
    picked = even_indices(0, len(frames) - 1, model.config.num_frames)
    features = []
    for start in range(0, len(picked), FRAMES_PER_STEP):
        _stop_if(cancelled)
        step = frames[picked[start : start + FRAMES_PER_STEP]]
        features.append(model.tower_features(_pixels(model, step)))
        on_progress(min(1.0, (start + FRAMES_PER_STEP) / len(picked)))
    _stop_if(cancelled)
    return model.pack_video(torch.cat(features))[0]


def _pixels(model: LlavaST, frames: FrameArray) -> Tensor:
    return preprocess(frames, model.config.image_size).to(model.device)


def _stop_if(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise CancelledError("Stopped.")


def bounded_size(video: VideoInfo, num_frames: int) -> tuple[int, int] | None:
    """Size to read frames at so that all of them fit in :data:`MAX_FRAME_BYTES`.

    Returns:
        None (as displayed) up to 1440p at 100 frames; above, a smaller size of about
        the same aspect, still several times what the tower sees.
    """
    needed = num_frames * video.width * video.height * 3
    if needed <= MAX_FRAME_BYTES:
        return None
    scale = (MAX_FRAME_BYTES / needed) ** 0.5
    return max(1, int(video.width * scale)), max(1, int(video.height * scale))


def video_key(path: Path, *parts: Hashable) -> Hashable:
    """What a file's content is known by, with what was asked of it.

    Returns:
        A key that changes when the file does; None when it can't be read.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (os.path.realpath(path), status.st_size, status.st_mtime_ns, *parts)


def span_key(span: TimeSpan | None) -> Hashable:
    """A span as part of a key."""
    return None if span is None else (span.start_seconds, span.end_seconds)


class FeatureCache:
    """The most recently used videos' visual tokens. Not thread-safe by itself."""

    def __init__(self, capacity: int = MAX_KEPT_VIDEOS) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Hashable, EncodedVideo] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> EncodedVideo | None:
        """What is kept under a key, if anything."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Hashable, encoded: EncodedVideo) -> None:
        """Keep a video, and let the one that was not used for longest go."""
        self._kept[key] = encoded
        self._kept.move_to_end(key)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
