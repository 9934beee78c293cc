"""Reading videos: what a file holds, and its pictures with their true times."""

from __future__ import annotations

from stablechat.video._open import Source, check_file, open_source, printable_name
from stablechat.video._packets import read_packets
from stablechat.video._timeline import Timeline
from stablechat.video.handover import read_in_child, take_over
from stablechat.video.limits import (
    VideoLimits,
    default_limits,
    limits_from_texts,
    set_default_limits,
)
from stablechat.video.orient import Orientation
from stablechat.video.probe import probe, read_timeline
from stablechat.video.reader import FrameReader
from stablechat.video.sampling import frames_at, sample_frames

__all__ = [
    "FrameReader",
    "Orientation",
    "Source",
    "Timeline",
    "VideoLimits",
    "check_file",
    "default_limits",
    "frames_at",
    "limits_from_texts",
    "open_source",
    "printable_name",
    "probe",
    "read_in_child",
    "read_packets",
    "read_timeline",
    "sample_frames",
    "set_default_limits",
    "take_over",
]
