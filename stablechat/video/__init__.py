"""Reading videos: what a file holds, and its pictures with their true times."""

from __future__ import annotations

from stablechat.video._open import Source, VideoLimits, open_source
from stablechat.video._timeline import Timeline
from stablechat.video.orient import Orientation
from stablechat.video.probe import probe, read_timeline
from stablechat.video.reader import FrameReader
from stablechat.video.sampling import sample_frames

__all__ = [
    "FrameReader",
    "Orientation",
    "Source",
    "Timeline",
    "VideoLimits",
    "open_source",
    "probe",
    "read_timeline",
    "sample_frames",
]
