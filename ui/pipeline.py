"""One question, from the video to the files that can be downloaded. No Gradio."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from render.clipper import cut_clip
from render.encoding import DEFAULT_OPTIONS, ClipOptions
from render.exports import (
    description_to_dict,
    grounding_to_dict,
    safe_stem,
    without_folders,
    write_json,
)
from render.exports.frames import AnswerFrame, answer_frames, is_image
from stablechat.errors import CancelledError
from stablechat.grounding import shown_span
from stablechat.types import Clip, Description, Grounding, Task, TimeSpan
from stablechat.video import read_timeline
from ui.jobs import Job
from ui.pictures import FrameFile, write_boxed_picture, write_key_frames

Mode = Literal["ground", "describe", "svg", "elc", "tvg", "rec"]

#: The modes that come first, and those that are folded away.
SIMPLE_MODES: tuple[Mode, ...] = ("ground", "describe")
OTHER_MODES: tuple[Mode, ...] = ("svg", "elc", "tvg", "rec")

_TASKS: dict[Mode, Task] = {
    "ground": "stvg",
    "svg": "svg",
    "elc": "elc",
    "tvg": "tvg",
    "rec": "rec",
}

#: Pictures of an answer that are listed with their boxes; a file holds all.
MAX_LISTED_FRAMES = 300

#: How long to wait for the model at a time before looking at Stop again.
_LOCK_POLL_SECONDS = 0.1


class Chat(Protocol):
    """What the page needs of :class:`stablechat.StableChat`."""

    name: str
    is_demo: bool

    @property
    def device(self) -> Any:
        """Where the model runs."""

    @property
    def dtype(self) -> Any:
        """The type of its numbers."""

    def ground(
        self,
        video: Path,
        query: str,
        task: Task = "stvg",
        *,
        span: TimeSpan | None = None,
        region: Sequence[float] | None = None,
        start_seconds: float | None = None,
        at_seconds: float | None = None,
        candidates: int = 1,
        on_progress: Callable[[str, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Grounding:
        """Find an event."""

    def describe(
        self,
        video: Path,
        question: str | None = None,
        *,
        on_progress: Callable[[str, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Description:
        """Say what happens."""


@dataclass(frozen=True)
class Ask:
    """A question that was checked.

    Attributes:
        video: The uploaded file; for ``rec`` a still image will do.
        question: What was typed; empty for a plain description.
        mode: ``"ground"`` finds and clips, ``"describe"`` says what happens; the
            others are the tasks that :meth:`stablechat.StableChat.ground` explains.
        number: Tells two equal questions apart.
        candidates: How many answers to choose from.
        span: The time that ``svg`` asks about.
        region: xyxy in pixels, the thing that ``elc`` asks about.
        start_seconds: From when on.
        at_seconds: The picture of a video that ``rec`` asks about.
    """

    video: Path
    question: str
    mode: Mode
    number: str = ""
    candidates: int = 1
    span: TimeSpan | None = None
    region: tuple[float, float, float, float] | None = None
    start_seconds: float | None = None
    at_seconds: float | None = None


@dataclass(frozen=True)
class Outcome:
    """An answer and its files.

    Attributes:
        answer: What the model said.
        clip: The annotated clip, when something was found.
        data: The answer as JSON data, without this machine's paths.
        json_path: That data in a file.
        text_path: A description in a file.
        picture: The picture with its box, where the answer is about one.
        question: What was typed; empty for a plain description.
        key_frames: Pictures of the answer, when something was found.
        frames: The first pictures during the answer, with their boxes.
        options: How the clip was cut and drawn.
        elapsed_seconds: How long the answer took.
    """

    answer: Grounding | Description
    clip: Clip | None
    data: dict[str, Any]
    json_path: Path
    text_path: Path | None = None
    picture: Path | None = None
    question: str = ""
    key_frames: tuple[FrameFile, ...] = ()
    frames: tuple[AnswerFrame, ...] = ()
    options: ClipOptions = DEFAULT_OPTIONS
    elapsed_seconds: float = 0.0


@dataclass
class Pipeline:
    """Answers one question at a time.

    Attributes:
        chat: The loaded model.
    """

    chat: Chat
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self, ask: Ask, folder: Path, job: Job[Outcome]) -> Outcome:
        """Answer a question; called in the job's thread.

        Args:
            ask: The question.
            folder: Where files go, this run's own.
            job: Gets the progress and says when to stop.

        Raises:
            StableChatError: With one plain line.
            CancelledError: Stop was pressed.
        """
        answer = self._answer(ask, job)
        if job.cancelled():
            raise CancelledError("Stopped.")
        if isinstance(answer, Description):
            return _write_description(ask, answer, folder)
        if answer.task == "rec":
            return _write_picture_answer(answer, folder)
        return _write_grounding(answer, _usual_options(answer), folder, job)

    def redraw(
        self,
        outcome: Outcome,
        answer: Grounding,
        options: ClipOptions,
        folder: Path,
        job: Job[Outcome],
    ) -> Outcome:
        """Draw and cut an answer again, without the model; called in the job's thread.

        Args:
            outcome: What there was.
            answer: The same answer, or a corrected one.
            options: How to cut and draw.
            folder: Where files go, this one's own.
            job: Gets the progress and says when to stop.

        Raises:
            StableChatError: With one plain line.
            CancelledError: Stop was pressed.
        """
        made = _write_grounding(answer, options, folder, job)
        return replace(made, elapsed_seconds=outcome.elapsed_seconds)

    def _answer(self, ask: Ask, job: Job[Outcome]) -> Grounding | Description:
        # The queue already lets one question through at a time. The lock is for a
        # stopped one whose thread is still on its way out.
        while not self._lock.acquire(timeout=_LOCK_POLL_SECONDS):
            if job.cancelled():
                raise CancelledError("Stopped.")
        try:
            if ask.mode == "describe":
                return self.chat.describe(
                    ask.video,
                    ask.question or None,
                    on_progress=job.report,
                    cancelled=job.cancelled,
                )
            return self.chat.ground(
                ask.video,
                ask.question,
                _TASKS[ask.mode],
                span=ask.span,
                region=ask.region,
                start_seconds=ask.start_seconds,
                at_seconds=ask.at_seconds,
                candidates=ask.candidates,
                on_progress=job.report,
                cancelled=job.cancelled,
            )
        finally:
            self._lock.release()


def has_answer(answer: Grounding) -> bool:
    """Whether an answer says something; the time of ``svg`` was only asked about."""
    if answer.task == "svg":
        return answer.tube is not None
    return shown_span(answer) is not None


def _usual_options(answer: Grounding) -> ClipOptions:
    """With what the model called the event as its label, where nothing was asked."""
    if answer.query:
        return DEFAULT_OPTIONS
    return replace(DEFAULT_OPTIONS, label=bool(answer.prose), label_text=answer.prose)


def _write_grounding(
    answer: Grounding, options: ClipOptions, folder: Path, job: Job[Outcome]
) -> Outcome:
    stem = safe_stem(answer.video.path.name)
    clip: Clip | None = None
    key_frames: tuple[FrameFile, ...] = ()
    frames: tuple[AnswerFrame, ...] = ()
    if has_answer(answer):
        job.report("draw", 0.0)
        clip = cut_clip(
            answer,
            folder / f"{stem}_clip.mp4",
            options=options,
            on_progress=lambda fraction: job.report("draw", fraction),
            cancelled=job.cancelled,
        )
        key_frames = write_key_frames(answer, folder, options.style)
        # One more than are listed, so that the list can say that there are more.
        timeline = read_timeline(answer.video.path)
        frames = tuple(answer_frames(answer, timeline, MAX_LISTED_FRAMES + 1))
    data, json_path = _write_answer(
        answer, folder, {"clip": clip.path if clip else None}
    )
    return Outcome(
        answer,
        clip,
        data,
        json_path,
        question=answer.query,
        key_frames=key_frames,
        frames=frames,
        options=options,
    )


def _write_picture_answer(answer: Grounding, folder: Path) -> Outcome:
    """What was found in one picture: that picture, no clip."""
    picture: Path | None = None
    frames: tuple[AnswerFrame, ...] = ()
    if has_answer(answer):
        picture = folder / f"{safe_stem(answer.video.path.name)}_picture.jpg"
        write_boxed_picture(answer, picture)
        path = answer.video.path
        timeline = None if is_image(answer) else read_timeline(path)
        frames = tuple(answer_frames(answer, timeline))
    data, json_path = _write_answer(answer, folder, {"picture": picture})
    return Outcome(
        answer,
        None,
        data,
        json_path,
        picture=picture,
        question=answer.query,
        frames=frames,
    )


def _write_answer(
    answer: Grounding, folder: Path, files: Mapping[str, Path | None]
) -> tuple[dict[str, Any], Path]:
    written = {key: path for key, path in files.items() if path is not None}
    data = without_folders(grounding_to_dict(answer, files=written))
    path = folder / f"{safe_stem(answer.video.path.name)}_grounding.json"
    write_json(path, data)
    return data, path


def _write_description(ask: Ask, description: Description, folder: Path) -> Outcome:
    stem = safe_stem(ask.video.name)
    data = without_folders(description_to_dict(description))
    json_path = folder / f"{stem}_description.json"
    text_path = folder / f"{stem}_description.txt"
    write_json(json_path, data)
    text_path.write_text(description.text + "\n", encoding="utf-8", errors="replace")
    return Outcome(
        description,
        None,
        data,
        json_path,
        text_path=text_path,
        question=ask.question,
    )
