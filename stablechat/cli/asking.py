"""What ``ground`` asks: checked before a model is loaded, then put to it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stablechat.cli.inputs import config_of, span_of
from stablechat.errors import InputError
from stablechat.times import format_time
from stablechat.types import Grounding, Moments, SearchProgress, VideoInfo

if TYPE_CHECKING:
    from stablechat.chat import StableChat

Report = Callable[[str, float], None]
Cancelled = Callable[[], bool]

#: What only a question about a whole video takes, and what it is without it.
_NOT_WITH_WINDOWS = {"task": "stvg", "candidates": 1, "choose": "confidence"}
_ONLY_WITH_WINDOWS = {"overlap": None, "top": None}


@dataclass(frozen=True)
class Answers:
    """What was answered about one video.

    Attributes:
        groundings: One for each query, or every moment of every search.
        searches: Of a long video, one for each query.
    """

    groundings: tuple[Grounding, ...]
    searches: tuple[Moments, ...] = ()

    @property
    def videos(self) -> list[VideoInfo]:
        """One video as each answer tells it, with what was odd about it; never none."""
        told = [search.video for search in self.searches]
        return told + [answer.video for answer in self.groundings]


class Questions:
    """All that is asked of each video.

    Args:
        args: Of the command line.
        queries: What to look for.

    Raises:
        InputError: It can't be asked like this.
    """

    def __init__(self, args: argparse.Namespace, queries: tuple[str, ...]) -> None:
        from stablechat.candidates import check_candidates
        from stablechat.questions import Question, check_looked_at

        self.queries = queries
        self._args = args
        self._config = config_of(args)
        self._span, self._segment = span_of(args.span), span_of(args.segment)
        for query in queries:
            Question(query, args.task, self._span, args.region, args.start)
        check_looked_at(args.task, self._segment, args.at)
        check_candidates(args.candidates)
        check_window_options(args)

    def ask(
        self, chat: StableChat, path: Path, report: Report, cancelled: Cancelled
    ) -> Answers:
        """Ask all of it about a video; what is known of the video serves every query.

        Raises:
            StableChatError: As for :meth:`stablechat.chat.StableChat.ground`.
        """
        if self._args.window is not None:
            return self._search(chat, path, report, cancelled)
        return Answers(
            tuple(
                self._ground(chat, path, query, report, cancelled)
                for query in self.queries
            )
        )

    def _ground(
        self,
        chat: StableChat,
        path: Path,
        query: str,
        report: Report,
        cancelled: Cancelled,
    ) -> Grounding:
        args = self._args
        answer = chat.ground(
            path,
            query,
            args.task,
            span=self._span,
            region=args.region,
            start_seconds=args.start,
            segment=self._segment,
            at_seconds=args.at,
            candidates=args.candidates,
            choose=args.choose,
            config=self._config,
            on_progress=report,
            cancelled=cancelled,
        )
        if not args.second_look:
            return answer
        return chat.look_again(answer, cancelled=cancelled)

    def _search(
        self, chat: StableChat, path: Path, report: Report, cancelled: Cancelled
    ) -> Answers:
        from stablechat.search import search_video

        searches = search_video(
            chat,
            path,
            self.queries,
            window_seconds=self._args.window,
            overlap_seconds=self._args.overlap,
            segment=self._segment,
            top=self._args.top,
            config=self._config,
            on_progress=lambda progress: report(stage_of(progress), progress.fraction),
            cancelled=cancelled,
        )
        found = (grounding for search in searches for grounding in search.groundings)
        return Answers(tuple(found), searches)


def check_window_options(args: argparse.Namespace) -> None:
    """Refuse what does not go together with windows, or without them.

    Raises:
        InputError: Something does not.
    """
    if args.window is None:
        for name, usual in _ONLY_WITH_WINDOWS.items():
            if getattr(args, name) != usual:
                raise InputError(f"--{name} is for long videos; add --window.")
        return
    for name, usual in _NOT_WITH_WINDOWS.items():
        if getattr(args, name) != usual:
            raise InputError(f"--window can't be combined with --{name}.")
    if not args.second_look:
        raise InputError("--window ranks by second looks; omit --no-second-look.")
    _check_windows(args.window, args.overlap, args.top)


def _check_windows(window: float, overlap: float | None, top: int | None) -> None:
    from stablechat.search import check_top
    from stablechat.windows import check_windows, default_overlap

    check_windows(window, default_overlap(window) if overlap is None else overlap)
    check_top(top)


def stage_of(progress: SearchProgress) -> str:
    """How far it is, for example "window 3 of 20, encode, 2:10 left,"."""
    told = f"window {progress.window} of {progress.num_windows}, {progress.stage}"
    left = progress.remaining_seconds
    if left is None:
        return f"{told},"
    return f"{told}, {format_time(math.ceil(left)).removesuffix('.000')} left,"
