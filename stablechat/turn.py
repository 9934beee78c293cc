"""One request while it has the model to itself: read, encode, answer."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import torch

from stablechat.encoding import (
    EncodedVideo,
    FeatureCache,
    encode_frames,
    span_key,
    video_key,
)
from stablechat.errors import CancelledError
from stablechat.generation import generate
from stablechat.generation.batch import generate_batch
from stablechat.generation.likelihood import score_answers, token_probabilities
from stablechat.generation.loop import Asked
from stablechat.generation.stopping import never
from stablechat.last_row import LastRow
from stablechat.loader import LoadedModel
from stablechat.questions import Question
from stablechat.reading import read_picture, read_video
from stablechat.types import (
    FrameArray,
    FrameSample,
    Generation,
    GenerationConfig,
    Task,
    TimeSpan,
)

#: Called with a stage ("read", "encode", "answer") and the share of it that is done.
Progress = Callable[[str, float], None]
Cancelled = Callable[[], bool]


class Turn:
    """The stages of one request.

    Args:
        loaded: The model.
        cache: Where visual tokens are kept.
        on_progress: Called with stage and fraction.
        cancelled: Asked often.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        cache: FeatureCache,
        on_progress: Progress | None,
        cancelled: Cancelled | None,
    ) -> None:
        self._loaded = loaded
        self._model = loaded.model
        self._cache = cache
        self._report = on_progress or (lambda stage, fraction: None)
        self._cancelled = cancelled or (lambda: False)

    def part(self, number: int, count: int) -> Turn:
        """The same turn for one of several answers, as a share of its progress."""

        def report(stage: str, fraction: float) -> None:
            self._report(stage, (number + fraction) / count)

        return Turn(self._loaded, self._cache, report, self._cancelled)

    def stop_if_cancelled(self) -> None:
        """Raise CancelledError when the person wants that."""
        if self._cancelled():
            raise CancelledError("Stopped.")

    def encode_video(self, path: Path, segment: TimeSpan | None) -> EncodedVideo:
        """A video's visual tokens, kept or computed."""
        key = video_key(path, "video", span_key(segment))
        return self._kept(key, path) or self._compute(
            key, lambda: self._read_video(path, segment)
        )

    def encode_picture(self, path: Path, at_seconds: float) -> EncodedVideo:
        """The visual tokens of an image file, or of one picture of a video."""
        key = video_key(path, "picture", at_seconds)
        return self._kept(key, path) or self._compute(
            key, lambda: self._read_picture(path, at_seconds)
        )

    def encode_asked(
        self,
        video: str | Path | FrameSample,
        task: Task,
        segment: TimeSpan | None,
        at_seconds: float,
    ) -> EncodedVideo:
        """What a question of a task is about."""
        if isinstance(video, FrameSample):
            return self.encode_sample(video)
        if task == "rec":
            return self.encode_picture(Path(video), at_seconds)
        return self.encode_video(Path(video), segment)

    def encode_sample(self, sample: FrameSample) -> EncodedVideo:
        """The visual tokens of frames that were read already."""
        # By identity, and without keeping the frames.
        key = ("sample", weakref.ref(sample))
        kept = self._kept(key, sample.video.path)
        return kept or self._compute(key, lambda: sample)

    def _kept(self, key: object, path: Path) -> EncodedVideo | None:
        found = self._cache.get(key)
        if found is None:
            return None
        self._report("read", 1.0)
        self._report("encode", 1.0)
        timings = {"read_seconds": 0.0, "encode_seconds": 0.0}
        # It may have been asked for by another name.
        return replace(found, video=replace(found.video, path=path), timings=timings)

    def _compute(self, key: object, read: Callable[[], FrameSample]) -> EncodedVideo:
        started = time.perf_counter()
        self._report("read", 0.0)
        sample = read()
        was_read = time.perf_counter()
        visual = self.encode(sample.frames)
        timings = {
            "read_seconds": was_read - started,
            "encode_seconds": time.perf_counter() - was_read,
        }
        encoded = EncodedVideo(
            sample.video, sample.pts_seconds, visual, len(sample.frames) == 1, timings
        )
        if key is not None:
            self._cache.put(key, encoded)
        return encoded

    def _read_video(self, path: Path, segment: TimeSpan | None) -> FrameSample:
        return read_video(
            path,
            self._model.config.num_frames,
            segment,
            on_progress=lambda fraction: self._report("read", fraction),
            cancelled=self._cancelled,
        )

    def _read_picture(self, path: Path, at_seconds: float) -> FrameSample:
        return read_picture(path, at_seconds, cancelled=self._cancelled)

    def encode(self, frames: FrameArray) -> torch.Tensor:
        """Visual tokens of frames, with progress."""
        return encode_frames(
            self._model,
            frames,
            on_progress=lambda fraction: self._report("encode", fraction),
            cancelled=self._cancelled,
        )

    @property
    def first_time_token(self) -> int:
        """Id of ``<TEMP-000>``."""
        return self._model.config.base_vocab_size

    def answer(
        self,
        encoded: EncodedVideo,
        prompt: str,
        config: GenerationConfig | None,
        last_row: LastRow | None = None,
        *,
        task: Task | None = None,
    ) -> Generation:
        """The model's whole answer about an encoded video, with all timings."""
        written = self.write(
            encoded.visual, prompt, encoded.is_image, config, last_row, task=task
        )
        if written.finish_reason == "cancelled":
            raise CancelledError("Stopped.")
        return replace(written, timings={**encoded.timings, **written.timings})

    @torch.inference_mode()
    def embed(self, encoded: EncodedVideo, prompt: str) -> torch.Tensor:
        """What the language model reads before it answers, ``(L, hidden)``."""
        asked = self._loaded.tokenizer.encode_prompt(prompt, image=encoded.is_image)
        return self._model.embed_prompt(asked, encoded.visual)[0]

    def answer_all(
        self,
        asked: Iterable[tuple[EncodedVideo, Question]],
        config: GenerationConfig | None = None,
        *,
        seats: int,
        count: int,
        cancelled_each: Iterable[Cancelled] | None = None,
    ) -> list[Generation]:
        """Answers to questions about encoded videos, several at once.

        Args:
            asked: Each is taken when there is a seat for it. Those about one video
                should stand together.
            config: How to decode; None is greedy.
            seats: Answers that are written at once.
            count: How many questions there are.
            cancelled_each: Ends the answer to a question, for each; None ends none.
        """
        self.stop_if_cancelled()
        config = config or GenerationConfig()
        stops = repeat(never) if cancelled_each is None else cancelled_each
        written = generate_batch(
            self._model,
            self._loaded.tokenizer,
            (
                replace(self._asked(*each, config), cancelled=stop)
                for each, stop in zip(asked, stops, strict=False)
            ),
            seats=seats,
            end_token_ids=self._loaded.end_token_ids,
            on_answer=lambda done: self._report("answer", done / count),
            cancelled=self._cancelled,
        )
        self.stop_if_cancelled()
        return written

    def _asked(
        self, encoded: EncodedVideo, question: Question, config: GenerationConfig
    ) -> Asked:
        prompt = question.prompt(encoded.video, encoded.pts_seconds)
        end = question.last_row(self.first_time_token, encoded.pts_seconds)
        return Asked(
            self.embed(encoded, prompt)[None],
            config,
            question.task,
            end if config.stop_at_last_row else None,
        )

    @torch.inference_mode()
    def score(
        self, encoded: EncodedVideo, prompt: str, answers: Sequence[Generation]
    ) -> list[float]:
        """The mean log-likelihood of an answer's tokens, in nats, for each answer.

        Without the token that ends an answer: not every answer was let come to it.
        """
        self.stop_if_cancelled()
        distinct = list(dict.fromkeys(answer.token_ids for answer in answers))
        tokens = [torch.tensor(ids, dtype=torch.long) for ids in distinct]
        scores = score_answers(
            self._model,
            self.embed(encoded, prompt),
            [self._model.embed_tokens(ids.to(self._model.device)) for ids in tokens],
            [ids.double() for ids in tokens],
        )
        found = dict(zip(distinct, scores, strict=True))
        return [found[answer.token_ids] for answer in answers]

    @torch.inference_mode()
    def probabilities(
        self, encoded: EncodedVideo, prompt: str, tokens: Sequence[int]
    ) -> torch.Tensor:
        """What the model would write at each token of an answer, ``(T, rows)``."""
        self.stop_if_cancelled()
        ids = torch.tensor(tokens, dtype=torch.long, device=self._model.device)
        return token_probabilities(
            self._model, self.embed(encoded, prompt), self._model.embed_tokens(ids)
        )

    @torch.inference_mode()
    def write(
        self,
        visual: torch.Tensor,
        prompt: str,
        is_image: bool,
        config: GenerationConfig | None,
        last_row: LastRow | None = None,
        *,
        task: Task | None = None,
    ) -> Generation:
        """The model's answer to a prompt, or what was written when it was stopped."""
        config = config or GenerationConfig()
        self.stop_if_cancelled()
        self._report("answer", 0.0)
        tokenizer = self._loaded.tokenizer
        encoded = tokenizer.encode_prompt(prompt, image=is_image)
        limit = config.max_new_tokens
        generation = generate(
            self._model,
            tokenizer,
            self._model.embed_prompt(encoded, visual),
            config,
            task=task,
            end_token_ids=self._loaded.end_token_ids,
            last_row=last_row if config.stop_at_last_row else None,
            on_token=lambda _, count: self._report("answer", count / limit),
            cancelled=self._cancelled,
        )
        if generation.finish_reason != "cancelled":
            self._report("answer", 1.0)
        return generation
