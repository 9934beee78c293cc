"""A model that answers at once, and clips to ask it about."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from stablechat.errors import CancelledError
from stablechat.pictures import is_image, read_image
from stablechat.questions import Question
from stablechat.sentences import Sentence
from stablechat.types import (
    Caption,
    Captions,
    Description,
    Generation,
    Grounding,
    Moment,
    Moments,
    SearchProgress,
    SecondLook,
    Task,
    TimeSpan,
    Tube,
    VideoInfo,
)
from stablechat.video import probe
from stablechat.windows import plan_parts

OnProgress = Callable[[str, float], None]
Cancelled = Callable[[], bool]

#: What the fake says for a description.
DESCRIPTION = "A red circle moves left while a blue square grows."
#: What the fake says happens to an object.
EVENT = "the red circle moves left"
#: What is odd about a guess.
LOST_BOXES = Sentence("Boxes outside the span were left out: {count}.", count=7)
#: Answer to every question: this part of the video, from its first second on.
SPAN_SECONDS = (1.0, 2.25)


class FakeChat:
    """Looks like StableChat; the question says how it should behave.

    * ``"missing ..."``: nothing is found;
    * ``"guess ..."``: a time is found, with boxes elsewhere;
    * ``"slow ..."``: takes 30 seconds, looking at ``cancelled`` every 50 ms;
    * ``"boom ..."``: fails with a bug's exception;
    * ``"at 0.5 to 1.5"``: finds that span;
    * anything else finds :data:`SPAN_SECONDS`.

    Args:
        stage_seconds: How long each stage takes.
        is_demo: Whether the page should show the demo notice.
    """

    name = "stablechat-demo"
    device = "cpu"
    dtype = "torch.float32"
    quantization: str | None = None
    weight_bytes = 41_000_000
    free_bytes = 8_000_000_000

    def __init__(self, stage_seconds: float = 0.0, *, is_demo: bool = True) -> None:
        self.stage_seconds = stage_seconds
        self.is_demo = is_demo
        self.window_seconds = 0.0
        self.running = 0
        self.most_running = 0
        self.asked: list[str] = []
        self.questions: list[Question] = []

    def ground(
        self,
        video: Path,
        query: str,
        task: Task = "stvg",
        *,
        span: TimeSpan | None = None,
        region: Sequence[float] | None = None,
        start_seconds: float | None = None,
        segment: TimeSpan | None = None,
        at_seconds: float | None = None,
        candidates: int = 1,
        on_progress: OnProgress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Grounding:
        """Find a box that moves to the left; with candidates, shorter ones after it."""
        # As the real one does: refuses what can't be asked.
        question = Question(query, task, span, region, start_seconds)
        still = task == "rec" and is_image(video)
        info = read_image(video).video if still else probe(video)
        self._work(query, on_progress, cancelled)
        self.questions.append(question)
        answers = [
            replace(self._answer(info, question, rank, at_seconds), segment=segment)
            for rank in range(candidates)
        ]
        if candidates == 1:
            return answers[0]
        scored = [
            replace(answer, confidence=0.9 - 0.15 * rank)
            for rank, answer in enumerate(answers)
        ]
        return replace(scored[0], alternatives=tuple(scored[1:]))

    def _answer(
        self, info: VideoInfo, question: Question, rank: int, at_seconds: float | None
    ) -> Grounding:
        query, span, tube = question.query, question.span, None
        found = not query.startswith("missing")
        if found:
            span = _when(question, info, rank)
            tube = _where(question, info, span, at_seconds)
        guess = query.startswith("guess")
        if question.task == "rec":
            span = None
        text = "{<TEMP-020><TEMP-045>}" if found else "I can't see that."
        issues = () if found else ("The answer holds no time and no boxes.",)
        return Grounding(
            video=info,
            query=query,
            task=question.task,
            span=span,
            tube=None if guess else tube,
            prose=EVENT if found and question.task == "elc" else "",
            confidence=0.0 if guess else None,
            generation=Generation(text, (), "stop"),
            issues=(LOST_BOXES,) if guess else issues,
            model=self.name,
        )

    def look_again(
        self, answer: Grounding, *, cancelled: Cancelled | None = None
    ) -> Grounding:
        """Calls it what it was asked for; what is asked as "other ..." a bird."""
        if answer.tube is None or answer.task != "stvg":
            return answer
        other = answer.query.startswith("other")
        look = SecondLook("a bird", 0.5) if other else SecondLook(answer.query, 0.0)
        return replace(answer, second_look=look)

    def find_moments(
        self,
        video: Path,
        query: str,
        *,
        window_seconds: float = 60.0,
        segment: TimeSpan | None = None,
        top: int | None = None,
        on_progress: Callable[[SearchProgress], None] | None = None,
        cancelled: Cancelled | None = None,
    ) -> Moments:
        """Find two moments in two windows; "missing ..." finds none."""
        self.window_seconds = window_seconds
        info, windows = probe(video), (TimeSpan(0.0, 2.0), TimeSpan(1.0, 3.0))

        def tell(stage: str, fraction: float) -> None:
            if on_progress is not None:
                on_progress(SearchProgress(2, 2, stage, 0.5, 70.0))

        self._work(query, tell, cancelled)
        question = Question(query, "stvg")
        answers = [
            replace(self._answer(info, question, rank, None), segment=segment)
            for rank in range(2)
        ]
        moments = [Moment(each, windows) for each in answers if each.found]
        told = tuple(moments[:top])
        return Moments(info, query, told, windows, len(moments), self.name, segment)

    def describe(
        self,
        video: Path,
        question: str | None = None,
        *,
        segment: TimeSpan | None = None,
        on_progress: OnProgress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Description:
        """Say a fixed sentence."""
        info = probe(video)
        self._work(question or "", on_progress, cancelled)
        generation = Generation(DESCRIPTION, (), "stop")
        return Description(
            info, question or "", DESCRIPTION, generation, self.name, segment
        )

    def caption(
        self,
        video: Path,
        question: str | None = None,
        *,
        window_seconds: float = 20.0,
        segment: TimeSpan | None = None,
        on_progress: Callable[[SearchProgress], None] | None = None,
        cancelled: Cancelled | None = None,
    ) -> Captions:
        """Say which part each is; of "missing ..." nothing."""
        self.window_seconds = window_seconds
        info, query = probe(video), question or ""
        parts = plan_parts(info, window_seconds, segment)

        def tell(stage: str, fraction: float) -> None:
            if on_progress is not None:
                on_progress(SearchProgress(1, len(parts), stage, fraction / 2, 70.0))

        self._work(query, tell, cancelled)
        said = [
            Caption(part, f"Part {number}: {DESCRIPTION}", Generation("", (), "stop"))
            for number, part in enumerate(parts, 1)
        ]
        told = () if query.startswith("missing") else tuple(said)
        return Captions(info, query, told, parts, self.name, segment=segment)

    def _work(
        self, query: str, on_progress: OnProgress | None, cancelled: Cancelled | None
    ) -> None:
        self.asked.append(query)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if query.startswith("boom"):
                raise RuntimeError("a bug with a /secret/path")
            seconds = 10.0 if query.startswith("slow") else self.stage_seconds
            for stage in ("read", "encode", "answer"):
                _stage(stage, seconds, on_progress, cancelled)
        finally:
            self.running -= 1


def make_clip(
    path: Path,
    *,
    seconds: float = 3.0,
    size: str = "320x180",
    sound: bool = True,
    picture: str = "testsrc2",
    rate: int = 25,
) -> Path:
    """Write a small H.264 video with FFmpeg's test picture and a tone."""
    drawn = f"{picture}=size={size}:rate={rate}:duration={seconds}"
    inputs = ["-f", "lavfi", "-i", drawn]
    if sound:
        inputs += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"]
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        *("-v", "error", "-y"),
        *inputs,
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac"),
        str(path),
    ]
    subprocess.run(command, check=True, timeout=60)
    return path


def _span(query: str) -> tuple[float, float]:
    words = query.split()
    if words[:1] == ["at"]:
        return float(words[1]), float(words[3])
    return SPAN_SECONDS


def _when(question: Question, info: VideoInfo, rank: int) -> TimeSpan:
    if question.span is not None:
        return question.span
    if question.start_seconds is not None:
        return TimeSpan(question.start_seconds, info.duration_seconds)
    start, end = _span(question.query)
    return TimeSpan(start - start * rank / 4, min(end, info.duration_seconds))


def _where(
    question: Question, info: VideoInfo, span: TimeSpan, at_seconds: float | None
) -> Tube | None:
    if question.task == "tvg":
        return None
    if question.task == "rec":
        tube = _tube(TimeSpan(0.0, 1.0), info.width, info.height)
        return Tube(np.array([at_seconds or 0.0]), tube.xyxy[:1])
    return _tube(span, info.width, info.height)


def _tube(span: TimeSpan, width: int, height: int) -> Tube:
    times = np.linspace(span.start_seconds, span.end_seconds, 8)
    left = np.linspace(0.55, 0.15, 8) * width
    top = np.full(8, 0.3 * height)
    boxes = np.stack([left, top, left + 0.25 * width, top + 0.4 * height], axis=1)
    return Tube(times, boxes)


def _stage(
    stage: str,
    seconds: float,
    on_progress: OnProgress | None,
    cancelled: Cancelled | None,
) -> None:
    start = time.monotonic()
    while True:
        if cancelled is not None and cancelled():
            raise CancelledError("Stopped.")
        gone = time.monotonic() - start
        if on_progress is not None:
            on_progress(stage, min(gone / seconds, 1.0) if seconds else 1.0)
        if gone >= seconds:
            return
        time.sleep(0.05)
