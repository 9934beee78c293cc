"""Frames to visual tokens: in steps, so that memory is bounded and Stop works."""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stablechat.errors import CancelledError, InputError
from stablechat.indices import even_indices
from stablechat.memory import encoding_bytes, unused_bytes
from stablechat.model.modeling import LlavaST
from stablechat.model.preprocess import (
    Preprocessing,
    choose_preprocessing,
    preprocess,
    preprocess_on_device,
)
from stablechat.types import (
    FloatArray,
    FrameArray,
    IntArray,
    TimeSpan,
    VideoInfo,
)

#: Most frames that go through the vision tower at once. More would fill an
#: accelerator no better, and Stop waits for two steps at most.
FRAMES_PER_STEP = {"cpu": 10, "mps": 10, "cuda": 50}
# Of a device's free memory that one step may take; two may be under way.
_STEP_SHARE = 0.4
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
        raise InputError("frames must be a uint8 array, got {kind}.", kind=kind)
    if frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise InputError(
            "frames must be (N, H, W, 3), got {shape}.", shape=frames.shape
        )


@torch.inference_mode()
def encode_frames(
    model: LlavaST,
    frames: FrameArray,
    *,
    on_progress: Callable[[float], None],
    cancelled: Callable[[], bool],
    preprocessing: Preprocessing | None = None,
) -> Tensor:
    """Visual tokens of a still image (one frame) or a video.

    Args:
        model: The whole model.
        frames: uint8 ``(N, H, W, 3)``. One frame is an image. A number of frames
            other than the model's own is resampled: frame ``i`` of ``n`` is
            ``round(i / (n - 1) * (N - 1))``.
        on_progress: Called with the share that is done.
        cancelled: Asked between steps.
        preprocessing: ``"exact"`` resizes as PIL does, ``"device"`` where the model
            is; None picks (``preprocess.choose_preprocessing``).

    Returns:
        ``(tokens, hidden)``.

    Raises:
        InputError: ``frames`` is no stack of pictures, or there is no such
            preprocessing.
        CancelledError: ``cancelled`` said so.
    """
    check_frames(frames)
    feed = _Feed(model, frames, choose_preprocessing(preprocessing, model.device))
    on_progress(0.0)
    if len(frames) == 1:
        _stop_if(cancelled)
        return model.encode_images(feed.pixels(np.zeros(1, np.int64)))[0]
    picked = even_indices(0, len(frames) - 1, model.config.num_frames)
    size = frames_per_step(model, frames[0].nbytes)
    packed: list[Tensor] = []
    for start in range(0, len(picked), size):
        _stop_if(cancelled)
        pixels = feed.pixels(picked[start : start + size])
        packed.append(model.pack_frames(model.tower_features(pixels), start))
        feed.end_step()
        on_progress(min(1.0, (start + size) / len(picked)))
    _stop_if(cancelled)
    return model.pack_time(torch.cat(packed))


def frames_per_step(model: LlavaST, frame_bytes: int) -> int:
    """How many frames may go through the tower at once.

    Args:
        model: The whole model.
        frame_bytes: Bytes of one picture before it is resized.

    Returns:
        A divisor of the model's number of frames, so that all steps have one shape,
        that the memory left now has room for; 1 at least.
    """
    device, count = model.device, model.config.num_frames
    # The picture as bytes, and in float32 while it is resized.
    each = encoding_bytes(model, model.dtype) + 5 * frame_bytes
    room = int(_STEP_SHARE * unused_bytes(device)) // each
    most = min(FRAMES_PER_STEP[device.type], room)
    return max((n for n in range(1, most + 1) if count % n == 0), default=1)


class _Feed:
    """Frames on their way to the tower, and no more than two steps ahead of it.

    On CUDA the next step's frames are copied, as bytes and from pinned memory, while
    the tower is still busy with the last one's.
    """

    def __init__(self, model: LlavaST, frames: FrameArray, kind: Preprocessing) -> None:
        self._frames = frames
        self._kind = kind
        self._size = model.config.image_size
        self._device = model.device
        self._ended: deque[torch.cuda.Event] = deque()
        self._copies: torch.cuda.Stream | None = None
        if self._device.type == "cuda":
            self._copies = torch.cuda.Stream(self._device)

    def pixels(self, picked: IntArray) -> Tensor:
        """The tower's pictures of some frames, ``(n, 3, S, S)`` on its device."""
        if self._kind == "exact":
            return preprocess(self._frames[picked], self._size).to(self._device)
        return preprocess_on_device(self._send(picked), self._size)

    def _send(self, picked: IntArray) -> Tensor:
        shape = (len(picked), *self._frames.shape[1:])
        staged = torch.empty(shape, dtype=torch.uint8, pin_memory=bool(self._copies))
        # Any mode but "raise", which copies twice.
        np.take(self._frames, picked, axis=0, out=staged.numpy(), mode="clip")
        if self._copies is None:
            return staged.to(self._device)
        with torch.cuda.stream(self._copies):
            sent = staged.to(self._device, non_blocking=True)
        now = torch.cuda.current_stream(self._device)
        now.wait_stream(self._copies)
        sent.record_stream(now)
        return sent

    def end_step(self) -> None:
        """Wait for the step before this one, so that Stop and progress mean it."""
        if self._copies is None:
            return
        self._ended.append(torch.cuda.current_stream(self._device).record_event())
        if len(self._ended) > 1:
            self._ended.popleft().synchronize()


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

    def clear(self) -> None:
        """Let all go."""
        self._kept.clear()

    def put(self, key: Hashable, encoded: EncodedVideo) -> None:
        """Keep a video, and let the one that was not used for longest go."""
        self._kept[key] = encoded
        self._kept.move_to_end(key)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
