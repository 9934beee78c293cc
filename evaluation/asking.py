"""Asking about a clip that is given by frame numbers. The only part with a model."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from evaluation.datasets import Sample
from evaluation.frames import Split
from evaluation.processes import ALONE, Processes
from stablechat.chat import StableChat
from stablechat.encoding import MAX_KEPT_VIDEOS, FeatureCache
from stablechat.errors import InputError
from stablechat.fingerprint import model_digest
from stablechat.last_row import TIMES_BEFORE_ROWS, LastRow
from stablechat.loader import load_model
from stablechat.placement import choose_device
from stablechat.types import NUM_BINS, Generation, GenerationConfig, TimeSpan
from stablechat.video import read_timeline

#: Of the full model 18 MB each.
_MOST_KEPT_VIDEOS = 128

#: What comes after a video is encoded.
_DECODER = (
    *("language_model.model.layers.", "language_model.model.norm."),
    "language_model.lm_head.",
)


class BenchmarkChat(StableChat):
    """StableChat that takes a benchmark's own question.

    ``ground`` words the question itself and ``generate`` keeps no features; here the
    text is the annotation's, and a clip asked about again is not encoded again.
    """

    @property
    def revision(self) -> str | None:
        """Commit, for a model from the hub."""
        return self._loaded.revision

    @cached_property
    def model_sha256(self) -> str | None:
        """What tells models from folders apart; None for one from the hub."""
        return None if self.revision else model_digest(self._loaded.folder)

    def keep_videos(self, count: int) -> None:
        """Keep what is encoded of so many videos, for asking about all of them again.

        Args:
            count: How many they are; of more than 128 each is encoded anew.
        """
        kept = min(max(count, MAX_KEPT_VIDEOS), _MOST_KEPT_VIDEOS)
        self._cache = FeatureCache(kept)

    def share_videos(self, other: BenchmarkChat) -> bool:
        """Keep encoded videos together with another chat, if their models see alike.

        Args:
            other: Whose videos they are from now on.

        Returns:
            Whether all that encodes a video is the same in both; if not, nothing is
            shared.
        """
        ours, theirs = self._eyes(), other._eyes()
        alike = ours.keys() == theirs.keys() and all(
            value.dtype == theirs[name].dtype and value.equal(theirs[name])
            for name, value in ours.items()
        )
        if alike:
            self._cache = other._cache
        return alike

    def _eyes(self) -> dict[str, Any]:
        """Weights that a video's tokens depend on."""
        named = self._loaded.model.named_parameters()
        return {name: each for name, each in named if not name.startswith(_DECODER)}

    def ask(self, video: Path, sample: Sample, config: GenerationConfig) -> Generation:
        """Put a question about a clip to the model.

        Args:
            video: The file.
            sample: The question and the clip.
            config: How to decode.

        Raises:
            InputError: The video can't be read, or has no such frames.
            ModelError: The model failed.
        """
        is_picture = sample.task == "rec"
        whole = is_picture or sample.whole_video
        segment = None if whole else segment_of(video, sample.split)
        with self.turn(None, None) as turn:
            if is_picture:
                encoded = turn.encode_picture(video, 0.0)
            else:
                encoded = turn.encode_video(video, segment)
            end = last_row(sample, turn.first_time_token)
            return turn.answer(encoded, sample.prompt, config, end, task=sample.task)


def last_row(sample: Sample, first_time_token: int) -> LastRow | None:
    """What tells that an answer is complete, as in :meth:`StableChat.ground`."""
    if sample.task not in TIMES_BEFORE_ROWS:
        return None
    unit = sample.asked_end_unit
    end_bin = None if unit is None else round(unit * (NUM_BINS - 1))
    return LastRow(first_time_token, TIMES_BEFORE_ROWS[sample.task], end_bin)


def load_chat(
    model: str | None,
    device: str | None,
    dtype: str | None,
    processes: Processes = ALONE,
) -> BenchmarkChat:
    """Load a model; None picks as :func:`stablechat.loader.load_model` does.

    Each of several processes takes a card of its own, unless a device is named.
    """
    if device is None and processes.count > 1 and choose_device(None).type == "cuda":
        device = f"cuda:{processes.local_rank}"
    return BenchmarkChat(load_model(model, device, dtype))


def segment_of(video: Path, split: Split) -> TimeSpan | None:
    """When a clip's first and last frames are shown; None for the whole video.

    Raises:
        InputError: The video can't be read, or has no such frames.
    """
    timeline = read_timeline(video)
    first, last = split
    if last >= len(timeline):
        raise InputError(
            f"The clip ends at frame {last} and {video.name} has {len(timeline)} "
            "frames, numbered from 0."
        )
    if (first, last) == (0, len(timeline) - 1):
        return None
    return TimeSpan(float(timeline.seconds[first]), float(timeline.seconds[last]))
