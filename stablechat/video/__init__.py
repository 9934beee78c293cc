"""Reading videos: what a file holds, and its pictures with their true times."""

from __future__ import annotations

from stablechat.video._open import VideoLimits
from stablechat.video.orient import Orientation
from stablechat.video.probe import probe
from stablechat.video.reader import FrameReader
from stablechat.video.sampling import sample_frames

__all__ = ["FrameReader", "Orientation", "VideoLimits", "probe", "sample_frames"]
