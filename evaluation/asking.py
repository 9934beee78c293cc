"""Asking about a clip that is given by frame numbers. The only part with a model."""

from __future__ import annotations

from pathlib import Path

from evaluation.frames import Split
from stablechat.chat import StableChat
from stablechat.errors import InputError
from stablechat.loader import load_model
from stablechat.types import Generation, GenerationConfig, TimeSpan
from stablechat.video._inspect import inspect


class BenchmarkChat(StableChat):
    """StableChat that takes a benchmark's own question.

    ``ground`` words the question itself and ``generate`` keeps no features; here the
    text is the annotation's, and a clip asked about again is not encoded again.
    """

    def ask(
        self, video: Path, split: Split, prompt: str, config: GenerationConfig
    ) -> Generation:
        """Put a question about a clip to the model.

        Args:
            video: A video file.
            split: First and last frame of the clip.
            prompt: The full question, coordinates written ``<t0.087>``.
            config: How to decode.

        Raises:
            InputError: The video can't be read, or has no such frames.
            ModelError: The model failed.
        """
        segment = segment_of(video, split)
        with self._turn(None, None) as turn:
            encoded = turn.encode_video(video, segment)
            return turn.answer(encoded, prompt, config)


def load_chat(
    model: str | None, device: str | None, dtype: str | None
) -> BenchmarkChat:
    """Load a model; None picks as :func:`stablechat.loader.load_model` does."""
    return BenchmarkChat(load_model(model, device, dtype))


def segment_of(video: Path, split: Split) -> TimeSpan | None:
    """When a clip's first and last frames are shown; None for the whole video.

    Raises:
        InputError: The video can't be read, or has no such frames.
    """
    timeline = inspect(video).timeline
    first, last = split
    if last >= len(timeline):
        raise InputError(
            f"The clip ends at frame {last} and {video.name} has {len(timeline)} "
            "frames, numbered from 0."
        )
    if (first, last) == (0, len(timeline) - 1):
        return None
    return TimeSpan(float(timeline.seconds[first]), float(timeline.seconds[last]))
