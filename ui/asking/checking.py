"""A checked question, made of what was filled in."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stablechat.candidates import check_candidates
from stablechat.errors import InputError
from stablechat.pictures import is_image
from stablechat.prompts import clean_query
from stablechat.times import format_time, parse_time
from stablechat.types import TimeSpan, VideoInfo
from stablechat.video import probe
from stablechat.windows import (
    DEFAULT_PART_SECONDS,
    DEFAULT_WINDOW_SECONDS,
    default_overlap,
    plan_parts,
    plan_windows,
)
from ui.asking.form import AskForm
from ui.asks import Ask
from ui.i18n import Language, text
from ui.session import Sessions
from ui.settings import (
    LONG_VIDEO_SECONDS,
    MAX_CANDIDATES,
    MAX_PARTS,
    MAX_QUESTIONS,
)
from ui.tab import Look, Session

#: Modes that need no words.
_WORDLESS_MODES = ("describe", "elc", "captions")


class MissingError(InputError):
    """Part of the form is not filled in yet; nothing went wrong."""


@dataclass(frozen=True)
class Checker:
    """Reads a form for one tab.

    Attributes:
        sessions: Know what was uploaded.
        session: The tab's.
        language: Of what is said.
    """

    sessions: Sessions
    session: Session
    language: Language

    def asks(self, form: AskForm) -> tuple[Ask, ...]:
        """Checked questions: each line that was typed is one.

        Raises:
            MissingError: Something is not filled in yet.
            InputError: Something can't be used; with what to do about it.
        """
        lines = [line for line in form.question.splitlines() if line.strip()]
        if form.mode == "elc":  # Its words are only a label.
            lines = [" ".join(lines)]
        if len(lines) > MAX_QUESTIONS:
            message = text(self.language, "questions_most", count=MAX_QUESTIONS)
            raise InputError(message)
        return tuple(self.ask(form, line) for line in lines or [""])

    def ask(self, form: AskForm, words: str) -> Ask:
        """A checked question.

        Args:
            form: Everything else.
            words: Of this question.

        Raises:
            MissingError: Something is not filled in yet.
            InputError: Something can't be used; with what to do about it.
        """
        path = self.uploaded(self._file(form))
        question = self._question(form, words)
        if not (form.mode == "rec" and is_image(path)):
            details = self._details(form, probe(path))
        else:
            details = {}
        return Ask(
            path,
            question,
            form.mode,
            secrets.token_hex(8),
            self._candidates(form.candidates),
            **details,
        )

    def video(self, file: str | None) -> Path:
        """The uploaded video.

        Raises:
            MissingError: There is none yet.
            InputError: As for :meth:`uploaded`.
        """
        return self.uploaded(self._given(file, "no_video"))

    def uploaded(self, file: str) -> Path:
        """An uploaded file.

        Raises:
            InputError: It was not uploaded here, or is no longer there.
        """
        path = Path(file)
        if not self.sessions.owns_upload(path):
            raise InputError(text(self.language, "foreign_file"))
        if not path.is_file():
            raise InputError(text(self.language, "upload_gone"))
        return path

    def _file(self, form: AskForm) -> str:
        if form.mode == "rec":
            return self._given(form.still or form.video, "no_picture")
        return self._given(form.video, "no_video")

    def _given(self, file: str | None, key: str) -> str:
        if not file:
            raise MissingError(text(self.language, key))
        return file

    def _question(self, form: AskForm, words: str) -> str:
        question = words.strip()
        if question:
            clean_query(question)
        elif form.mode not in _WORDLESS_MODES:
            raise MissingError(text(self.language, "no_question"))
        return question

    def _candidates(self, count: int) -> int:
        # The page offers no more; a forged request must not get more either.
        check_candidates(count)
        if count > MAX_CANDIDATES:
            message = text(self.language, "candidates_most", count=MAX_CANDIDATES)
            raise InputError(message)
        return int(count)

    def _details(self, form: AskForm, video: VideoInfo) -> dict[str, Any]:
        if form.mode == "rec":
            return {"at_seconds": self.moment(form.moment, video)}
        segment = self._segment(form, video)
        details: dict[str, Any] = {"segment": segment}
        if form.mode == "ground":
            details["num_windows"] = _num_windows(form, video, segment)
        elif form.mode == "svg":
            span = details["span"] = self._span(form.span, video)
            self._check_inside(segment, span)
        elif form.mode == "elc":
            details |= self._region(form, video)
            start = details["start_seconds"]
            self._check_inside(segment, TimeSpan(start, start))
        elif form.mode == "captions":
            details |= self._parts(form, video, segment)
        return details

    def _segment(self, form: AskForm, video: VideoInfo) -> TimeSpan | None:
        """The part of the video to look at; None is all of it."""
        if not any(typed.strip() for typed in form.segment):
            return None
        return self._span(form.segment, video)

    def _check_inside(self, segment: TimeSpan | None, asked: TimeSpan) -> None:
        if segment is None:
            return
        start, end = segment.start_seconds, segment.end_seconds
        if not start <= asked.start_seconds <= asked.end_seconds <= end:
            part = {"start": format_time(start), "end": format_time(end)}
            raise InputError(text(self.language, "outside_part", **part))

    def _parts(
        self, form: AskForm, video: VideoInfo, segment: TimeSpan | None
    ) -> dict[str, Any]:
        length = form.part_seconds
        seconds = DEFAULT_PART_SECONDS if length is None else length
        # Not a number is not more than 0 either.
        if not seconds > 0 or math.isinf(seconds):
            raise InputError(text(self.language, "part_length"))
        # Counted before they are made: there may be any number of them.
        looked_at = segment or TimeSpan(0.0, video.duration_seconds)
        if looked_at.duration_seconds / seconds > MAX_PARTS:
            least = math.ceil(looked_at.duration_seconds / MAX_PARTS * 10) / 10
            raise InputError(
                text(self.language, "parts_most", count=MAX_PARTS, seconds=f"{least:g}")
            )
        parts = plan_parts(video, seconds, segment)
        return {"num_windows": len(parts), "part_seconds": float(seconds)}

    def moment(self, typed: str, video: VideoInfo) -> float:
        """A time of a video; empty is its beginning.

        Raises:
            InputError: It is no time, or lies behind the end.
        """
        seconds = parse_time(typed) if typed.strip() else 0.0
        if seconds > video.duration_seconds:
            end = format_time(video.duration_seconds)
            raise InputError(text(self.language, "time_beyond", end=end))
        return seconds

    def _span(self, typed: tuple[str, str], video: VideoInfo) -> TimeSpan:
        start = self.moment(typed[0], video)
        end = parse_time(typed[1]) if typed[1].strip() else video.duration_seconds
        end = min(end, video.duration_seconds)
        if start >= end:
            raise InputError(text(self.language, "span_order"))
        return TimeSpan(start, end)

    def _region(self, form: AskForm, video: VideoInfo) -> dict[str, Any]:
        looked = self._looked(video)
        known = [side for side in form.region if side is not None]
        if len(known) != 4:
            raise MissingError(text(self.language, "region_missing"))
        size = (video.width, video.height) * 2
        x1, y1, x2, y2 = (
            min(max(float(side), 0.0), float(most))
            for side, most in zip(known, size, strict=True)
        )
        if not (x1 < x2 and y1 < y2):  # Nor is that so of what is no number.
            raise InputError(text(self.language, "region_flat"))
        if not form.start.strip() and looked is not None:
            start = looked.seconds
        else:
            start = round(self.moment(form.start, video), 3)
        if looked is not None and start != looked.seconds:
            raise InputError(text(self.language, "region_moved"))
        return {"region": (x1, y1, x2, y2), "start_seconds": start}

    def _looked(self, video: VideoInfo) -> Look | None:
        looked = self.session.asked_look
        return looked if looked is not None and looked.video == video.path else None


def _num_windows(form: AskForm, video: VideoInfo, segment: TimeSpan | None) -> int:
    """In how many parts a video is looked at; short ones as a whole."""
    looked_at = segment or TimeSpan(0.0, video.duration_seconds)
    if not form.windows or looked_at.duration_seconds <= LONG_VIDEO_SECONDS:
        return 1
    overlap = default_overlap(DEFAULT_WINDOW_SECONDS)
    return len(plan_windows(video, DEFAULT_WINDOW_SECONDS, overlap, segment))
