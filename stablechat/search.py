"""Through the windows of a long video: ask, let go, tell how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stablechat.errors import InputError
from stablechat.moments import ranked_moments
from stablechat.questions import Question
from stablechat.turn import Cancelled, Progress
from stablechat.types import (
    Generation,
    GenerationConfig,
    Grounding,
    Moments,
    SearchProgress,
    TimeSpan,
    WindowAnswer,
)
from stablechat.video import probe
from stablechat.windows import (
    DEFAULT_WINDOW_SECONDS,
    check_windows,
    default_overlap,
    plan_windows,
)

if TYPE_CHECKING:
    from stablechat.chat import StableChat

OnProgress = Callable[[SearchProgress], None]
Answer = TypeVar("Answer")
#: Answers one query about one window, and reports its stages.
Ask = Callable[[TimeSpan, str, Progress], Answer]

_STAGES = ("read", "encode", "answer")


def check_top(top: int | None) -> None:
    """Refuse a number of moments that there can't be.

    Raises:
        InputError: It is less than 1.
    """
    if top is not None and top < 1:
        raise InputError(f"top must be 1 or more moments, got {top}.")


def search_video(
    chat: StableChat,
    video: str | Path,
    queries: Sequence[str],
    *,
    window_seconds: float = DEFAULT_WINDOW_SECONDS,
    overlap_seconds: float | None = None,
    segment: TimeSpan | None = None,
    top: int | None = None,
    config: GenerationConfig | None = None,
    on_progress: OnProgress | None = None,
    cancelled: Cancelled | None = None,
) -> tuple[Moments, ...]:
    """Find the moments of several queries; each window is encoded once for all.

    A window's features are let go before the next one is read. Those that the chat
    keeps of other videos stay.

    Args:
        chat: The loaded model.
        video: A video file.
        queries: What to look for.
        window_seconds, overlap_seconds, segment, top, config, on_progress, cancelled:
            As for :meth:`stablechat.chat.StableChat.find_moments`.

    Returns:
        What was found, for each query.

    Raises:
        InputError, VideoError, CancelledError, OutOfMemoryError: As for
            :meth:`stablechat.chat.StableChat.find_moments`.
    """
    for query in queries:
        Question(query, "stvg")
    check_top(top)
    if overlap_seconds is None:
        overlap_seconds = default_overlap(window_seconds)
    check_windows(window_seconds, overlap_seconds)
    info = probe(Path(video), cancelled=cancelled)
    windows = plan_windows(info, window_seconds, overlap_seconds, segment)
    is_long = len(windows) > 1
    asked = chat.apart() if is_long else chat

    def ask(window: TimeSpan, query: str, report: Progress) -> WindowAnswer:
        # A short video is asked about as a whole, as ever.
        part = window if is_long else segment
        answer = asked.ground(
            info.path,
            query,
            segment=part,
            config=config,
            on_progress=report,
            cancelled=cancelled,
        )
        answer = asked.look_again(answer, cancelled=cancelled)
        answer = replace(answer, segment=segment)
        return WindowAnswer(window, slim(answer) if is_long else answer)

    release = asked.forget if is_long else None
    answers = search_windows(windows, queries, ask, release, on_progress)
    return tuple(
        replace(
            ranked_moments(info, query, windows, of_query, top, chat.name),
            segment=segment,
        )
        for query, of_query in zip(queries, answers, strict=True)
    )


def search_windows(
    windows: Sequence[TimeSpan],
    queries: Sequence[str],
    ask: Ask[Answer],
    release: Callable[[], None] | None,
    on_progress: OnProgress | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> list[list[Answer]]:
    """Ask every query about every window; a window is left before the next begins.

    Args:
        windows: In the order in which they are looked at.
        queries: Asked one after the other about each window.
        ask: Answers one of them.
        release: Called after each window: what is known of it can go. None keeps it.
        on_progress: Called often.
        clock: Seconds that only grow.

    Returns:
        For each query its answers, in the order of the windows.
    """
    answers: list[list[Answer]] = [[] for _ in queries]
    estimate = _Estimate(len(windows), clock)
    for number, window in enumerate(windows):
        for place, query in enumerate(queries):
            report = _reporter(on_progress, estimate, number, place, len(queries))
            answers[place].append(ask(window, query, report))
        if release is not None:
            release()
        estimate.window_done()
    return answers


def slim(answer: Grounding) -> Grounding:
    """An answer without what only decoding needed: some 60 kB less for each window."""
    return replace(answer, generation=slim_generation(answer.generation))


def slim_generation(generation: Generation) -> Generation:
    """The model's text, without its tokens and their scores."""
    return replace(
        generation, token_ids=(), log_probs=None, neighbour_probabilities=None
    )


def _reporter(
    on_progress: OnProgress | None,
    estimate: _Estimate,
    number: int,
    place: int,
    num_queries: int,
) -> Progress:
    done = 0.0  # of the window

    def report(stage: str, fraction: float) -> None:
        nonlocal done
        share = (_STAGES.index(stage) + fraction) / len(_STAGES)
        done = max(done, (place + share) / num_queries)
        if on_progress is not None:
            on_progress(estimate.progress(number, stage, done))

    return report


class _Estimate:
    """How long the rest will take, by the windows that are done."""

    def __init__(self, num_windows: int, clock: Callable[[], float]) -> None:
        self._num_windows = num_windows
        self._clock = clock
        self._started = self._last = clock()
        self._done = 0

    def window_done(self) -> None:
        self._done += 1
        self._last = self._clock()

    def progress(self, number: int, stage: str, done: float) -> SearchProgress:
        fraction = min(1.0, (number + done) / self._num_windows)
        return SearchProgress(
            number + 1, self._num_windows, stage, fraction, self._remaining()
        )

    def _remaining(self) -> float | None:
        if not self._done:
            return None
        each = (self._last - self._started) / self._done
        since = self._clock() - self._last
        return max(0.0, each * (self._num_windows - self._done) - since)
