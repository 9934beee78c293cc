"""Opening every video of a benchmark before a long run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from evaluation.datasets.sample import Sample
from evaluation.datasets.videos import VideoFolder
from stablechat.errors import InputError
from stablechat.pictures import read_image
from stablechat.video import read_timeline


def unusable_videos(samples: Iterable[Sample], videos: Path) -> dict[str, str]:
    """The videos that can't be opened or are too short for a clip.

    Args:
        samples: The questions.
        videos: The folder of videos, or of images for REC.

    Returns:
        One-line reasons by annotated path, in the order of the questions.
    """
    folder = VideoFolder(videos)
    last_asked: dict[str, Sample] = {}
    for sample in samples:
        other = last_asked.setdefault(sample.video_path, sample)
        if sample.split[1] > other.split[1]:
            last_asked[sample.video_path] = sample
    found = {path: _problem(folder, sample) for path, sample in last_asked.items()}
    return {path: reason for path, reason in found.items() if reason is not None}


def _problem(folder: VideoFolder, sample: Sample) -> str | None:
    try:
        path = folder.find(sample.video_path)
        if sample.task == "rec":
            read_image(path)
            return None
        num_frames = len(read_timeline(path))
    except InputError as error:
        return " ".join(str(error).split())
    if sample.whole_video or sample.split[1] < num_frames:
        return None
    return (
        f"a clip ends at frame {sample.split[1]} and the video has {num_frames} "
        "frames, numbered from 0"
    )
