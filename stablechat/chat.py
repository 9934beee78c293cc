"""StableChat: load once, encode a video once, ask many times."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from stablechat.candidates import (
    Criterion,
    best_of,
    candidate_configs,
    check_candidates,
)
from stablechat.captions import caption_video
from stablechat.confidence import load_calibration
from stablechat.demo_words import may_understand
from stablechat.downloads import UNWATCHED, Watch
from stablechat.encoding import EncodedVideo, FeatureCache, check_frames
from stablechat.errors import CancelledError
from stablechat.grounding import to_grounding
from stablechat.loader import LoadedModel, load_model
from stablechat.memory import held_bytes, unused_bytes
from stablechat.parser import parse_answer
from stablechat.prompts import describe_prompt
from stablechat.questions import Question, check_looked_at
from stablechat.remarks import UNKNOWN_WORDS
from stablechat.search import OnProgress, search_video
from stablechat.second_look import look_again
from stablechat.sentences import Sentence
from stablechat.shortage import plain_memory_errors
from stablechat.turn import Cancelled, Progress, Turn
from stablechat.types import (
    Description,
    FloatArray,
    FrameArray,
    FrameSample,
    Generation,
    GenerationConfig,
    Grounding,
    Moments,
    Task,
    TimeSpan,
)
from stablechat.windows import DEFAULT_WINDOW_SECONDS

# How often a thread that waits for the model asks whether it was cancelled.
_POLL_SECONDS = 0.1


class StableChat:
    """A loaded model that answers questions about videos.

    Safe to use from several threads: they take turns at the model.

    Args:
        loaded: What :func:`stablechat.loader.load_model` returned.

    Attributes:
        name: What to call the model.
        device: Where it runs.
        dtype: Type of its weights.
        is_demo: Whether it is the small demo model.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.name = loaded.name
        self.device = loaded.device
        self.dtype = loaded.dtype
        self.is_demo = loaded.is_demo
        self._loaded = loaded
        self._calibration = load_calibration(loaded.folder)
        self._lock = threading.Lock()
        self._cache = FeatureCache()

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        *,
        revision: str | None = None,
        attn: str | None = None,
        quantization: str | None = None,
        adapter: str | Path | None = None,
        watch: Watch = UNWATCHED,
    ) -> StableChat:
        """Load a model; the arguments are those of ``loader.load_model``.

        Raises:
            ModelError: It can't be found, fetched or loaded.
            CancelledError: ``watch`` said so.
        """
        return cls(
            load_model(
                model, device, dtype,
                revision=revision, attn=attn, quantization=quantization,
                adapter=adapter, watch=watch,
            )
        )  # fmt: skip

    @property
    def quantization(self) -> str | None:
        """How the language model's linear layers are stored; None as the rest."""
        return self._loaded.quantization

    @property
    def weight_bytes(self) -> int:
        """What the weights take, wherever they are."""
        return held_bytes(self._loaded.model)

    @property
    def free_bytes(self) -> int:
        """What could be had beside them where the model runs."""
        return unused_bytes(self.device)

    @property
    def num_frames(self) -> int:
        """Frames of a video that the model sees."""
        return self._loaded.model.config.num_frames

    def ground(
        self,
        video: str | Path | FrameSample,
        query: str,
        task: Task = "stvg",
        *,
        span: TimeSpan | None = None,
        region: Sequence[float] | FloatArray | None = None,
        start_seconds: float | None = None,
        segment: TimeSpan | None = None,
        at_seconds: float | None = None,
        candidates: int = 1,
        choose: Criterion = "confidence",
        config: GenerationConfig | None = None,
        on_progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Grounding:
        """Find when something happens, and where.

        Args:
            video: A video file; for ``rec`` an image file will do. Or frames of one
                that were read already (``stablechat/reading.py``).
            query: What to look for, "the red circle moving left"; ``elc`` needs none.
            task: ``"stvg"`` when and where, ``"tvg"`` when, ``"svg"`` where during
                ``span``, ``"elc"`` until when and what for the thing in ``region`` at
                ``start_seconds``, ``"rec"`` where in one picture.
            span: The stretch of time an ``svg`` question is about.
            region: xyxy in pixels of the displayed frame, for ``elc``.
            start_seconds: When the event starts, for ``elc``.
            segment: Look at this part of the video only; not with frames.
            at_seconds: Which picture of a video, for ``rec``; None is the first; not
                with frames.
            candidates: How many answers to choose from: the first is decoded as
                ``config`` says, the others are sampled. The best is returned, the
                others are its ``alternatives``.
            choose: What the best is best in: its ``"confidence"``, or the
                ``"likelihood"`` of its words, for which the model reads all answers
                once more.
            config: How to decode; None is greedy.
            on_progress: Called with stage and fraction.
            cancelled: Asked often; the work stops when it says True.

        Returns:
            The answer; ``found`` is False where the model gave neither time nor box.

        Raises:
            InputError: The question can't be asked like this.
            VideoError: The video can't be read.
            CancelledError: ``cancelled`` said so.
            OutOfMemoryError: The device has too little memory.
        """
        question = Question(query, task, span, region, start_seconds)
        check_candidates(candidates, choose)
        is_read = isinstance(video, FrameSample)
        check_looked_at(task, segment, at_seconds, is_read=is_read)
        with self.turn(on_progress, cancelled) as turn:
            encoded = turn.encode_asked(video, task, segment, at_seconds or 0.0)
            prompt = question.prompt(encoded.video, encoded.pts_seconds)
            end = question.last_row(turn.first_time_token, encoded.pts_seconds)
            generations = [
                turn.part(number, candidates).answer(
                    encoded, prompt, each, end, task=task
                )
                for number, each in enumerate(candidate_configs(config, candidates))
            ]
            scores: list[float | None] = [None] * candidates
            if choose == "likelihood" and candidates > 1:
                scores = [*turn.score(encoded, prompt, generations)]
        answers = [self.interpret(question, each, encoded) for each in generations]
        both = zip(answers, scores, strict=True)
        scored = [replace(a, log_likelihood=s, segment=segment) for a, s in both]
        return best_of(scored, choose)

    def interpret(
        self, question: Question, generation: Generation, encoded: EncodedVideo
    ) -> Grounding:
        """What the model's words mean, on the video's clock and picture.

        Args:
            question: What was asked.
            generation: The answer.
            encoded: What the model saw.
        """
        answer = to_grounding(
            parse_answer(generation.text, question.task),
            generation,
            encoded.pts_seconds,
            encoded.video,
            question.query,
            self.name,
            asked_span=question.span,
            asked_start_seconds=question.start_seconds,
            calibration=self._calibration,
        )
        known = not self.is_demo or may_understand(question.query)
        if known or question.task == "elc":  # which needs no words
            return answer
        return replace(answer, issues=(*answer.issues, Sentence(UNKNOWN_WORDS)))

    def describe(
        self,
        video: str | Path,
        question: str | None = None,
        *,
        segment: TimeSpan | None = None,
        config: GenerationConfig | None = None,
        on_progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Description:
        """Say what happens in a video, or answer a plain question about it.

        Args:
            video: A video file.
            question: None asks for a description.
            segment: Look at this part of the video only.
            config: How to decode; None is greedy.
            on_progress: Called with stage and fraction.
            cancelled: Asked often; the work stops when it says True.

        Raises:
            InputError, VideoError, CancelledError, OutOfMemoryError: As for
                :meth:`ground`.
        """
        prompt = describe_prompt(question)
        with self.turn(on_progress, cancelled) as turn:
            encoded = turn.encode_video(Path(video), segment)
            generation = turn.answer(encoded, prompt, config, task="describe")
        text = parse_answer(generation.text, "describe").prose
        return Description(encoded.video, prompt, text, generation, self.name, segment)

    def find_moments(
        self,
        video: str | Path,
        query: str,
        *,
        window_seconds: float = DEFAULT_WINDOW_SECONDS,
        overlap_seconds: float | None = None,
        segment: TimeSpan | None = None,
        top: int | None = None,
        config: GenerationConfig | None = None,
        on_progress: OnProgress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Moments:
        """Find all that a query may mean in a long video, window by window.

        What is no longer than one window is asked about as :meth:`ground` does it.
        For several queries at once there is :func:`stablechat.search.search_video`.

        Args:
            video: A video file.
            query: What to look for, "the red circle moving left".
            window_seconds: Length of the parts that the model sees, with all its frames
                each.
            overlap_seconds: How much of a window the next one sees again; None is a
                quarter (``windows.DEFAULT_OVERLAP_SHARE``).
            segment: Look at this part of the video only.
            top: How many moments to return; None is all.
            config: How to decode; None is greedy.
            on_progress: Called often, with the time that is left.
            cancelled: Asked often; the work stops when it says True.

        Returns:
            The moments, joined (``stablechat/moments.py``) and ranked.

        Raises:
            InputError: There can't be such windows, or such a question.
            VideoError, CancelledError, OutOfMemoryError: As for :meth:`ground`.
        """
        return search_video(
            self,
            video,
            [query],
            window_seconds=window_seconds,
            overlap_seconds=overlap_seconds,
            segment=segment,
            top=top,
            config=config,
            on_progress=on_progress,
            cancelled=cancelled,
        )[0]

    #: What happens part by part; the function with the chat as its first argument.
    caption = caption_video

    #: Whether what was found is what was asked for; the same way.
    look_again = look_again

    def apart(self) -> StableChat:
        """The same model, with a place of its own for the features of one video."""
        other = copy.copy(self)
        other._cache = FeatureCache(capacity=1)
        return other

    def forget(self) -> None:
        """Let go of the features that are kept."""
        with self._lock:
            self._cache.clear()

    def generate(
        self,
        frames: FrameArray,
        prompt: str,
        config: GenerationConfig | None = None,
        *,
        on_progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Generation:
        """Put a prompt about frames to the model, as it is.

        Args:
            frames: uint8 ``(N, H, W, 3)``, RGB. One frame is an image; a number other
                than the model's own is resampled evenly (``encoding.encode_frames``).
            prompt: The full question without the video block, coordinates written
                ``<t0.087>``, ``<w0.352>``, ``<h0.442>``.
            config: How to decode; None is greedy.
            on_progress: Called with stage and fraction.
            cancelled: Asked often; the work stops when it says True.

        Returns:
            The answer; when it was stopped, what there is of it, with the finish
            reason ``"cancelled"``.

        Raises:
            InputError: ``frames`` is no stack of pictures.
            OutOfMemoryError: As for :meth:`ground`.
        """
        check_frames(frames)
        try:
            with self.turn(on_progress, cancelled) as turn:
                visual = turn.encode(frames)
                return turn.write(visual, prompt, len(frames) == 1, config)
        except CancelledError:
            return Generation("", (), "cancelled")

    @contextmanager
    def turn(
        self, on_progress: Progress | None = None, cancelled: Cancelled | None = None
    ) -> Iterator[Turn]:
        """Wait for the model, and have it for one request.

        For what no method here asks; several threads come one after the other.

        Args:
            on_progress: Called with stage and fraction.
            cancelled: Asked often; the work stops when it says True.

        Raises:
            CancelledError, OutOfMemoryError: As for :meth:`ground`.
        """
        turn = Turn(self._loaded, self._cache, on_progress, cancelled)
        while not self._lock.acquire(timeout=_POLL_SECONDS):
            turn.stop_if_cancelled()
        try:
            with plain_memory_errors(self.device):
                turn.stop_if_cancelled()
                yield turn
        finally:
            self._lock.release()
