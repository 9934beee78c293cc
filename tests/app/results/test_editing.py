"""Cutting again and correcting without a browser: a real video, a fake model."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_chat import SPAN_SECONDS, FakeChat

from stablechat.types import Grounding
from stablechat.video import probe
from ui.asks import Ask
from ui.jobs import Job
from ui.outcomes import Outcome, usual_options
from ui.pipeline import Pipeline
from ui.results.edit_widgets import EditWidgets
from ui.results.editing import Editing
from ui.results.form import StyleForm
from ui.results.moments import moments_of
from ui.session import Sessions
from ui.tab import Session

REQUEST: Any = SimpleNamespace(session_hash="a", headers={"accept-language": "en"})
PAGE = EditWidgets(**{name: name for name in EditWidgets.__dataclass_fields__})  # type: ignore[arg-type]


class Tab:
    """A tab whose question was answered."""

    def __init__(self, sessions: Sessions, clip: Path, candidates: int = 1) -> None:
        self.session = sessions.get("a")
        self.chat = FakeChat()
        pipeline = Pipeline(self.chat)
        self.editing = Editing(pipeline, sessions, PAGE, self._show, self._buttons)
        self.shown: list[Outcome] = []
        video = Path(shutil.copy(clip, sessions.root))
        job: Job[Outcome] = Job(
            lambda job: pipeline.run(
                Ask(video, "star", "ground", candidates=candidates), run.folder, job
            )
        )
        run = self.session.run = self.session.new_run()
        job.start()
        job.join(30)
        run.result = job.result()

    def _show(self, session: Session, language: str) -> dict[Any, Any]:
        self.shown.append(self.result)
        return {}

    def _buttons(self, running: bool) -> dict[Any, Any]:
        return {"run": not running}

    def press(self, what: str, **changed: Any) -> list[dict[str, Any]]:
        form = StyleForm.of(self.result.options, "star")
        values: dict[str, Any] = {
            **{"pad_before": form.pad_before_seconds, "pad_after": 0},
            **{"label": form.label, "box": form.box, "color": form.color},
            **{"line_scale": form.line_scale, "trail": form.trail_seconds},
            **{"start": "", "end": "", "moment": ""},
            **dict.fromkeys(("x1", "y1", "x2", "y2")),
            **changed,
        }

        async def collect() -> list[dict[str, Any]]:
            handler = getattr(self.editing, what)
            return [update async for update in handler(values, REQUEST)]

        return asyncio.run(collect())

    @property
    def result(self) -> Outcome:
        assert self.session.run is not None
        assert isinstance(self.session.run.result, Outcome)
        return self.session.run.result


@pytest.fixture
def tab(sessions: Sessions, clip: Path) -> Tab:
    return Tab(sessions, clip)


def span_of(outcome: Outcome) -> tuple[float, float]:
    span = outcome.answer.span  # type: ignore[union-attr]
    return span.start_seconds, span.end_seconds


def test_a_clip_is_cut_again_as_it_was_chosen_and_the_model_is_not_asked(
    tab: Tab,
) -> None:
    before = tab.result.clip
    updates = tab.press("cut", pad_before=0.5, trail=1.0, label="", box="frame")
    assert "Done" in updates[-1]["style_line"] and updates[-1]["run"]
    made = tab.result.clip
    assert before is not None and made is not None
    assert made.path != before.path and made.path.name == before.path.name
    assert probe(made.path).duration_seconds == pytest.approx(1.75, abs=0.1)
    options = tab.result.options
    assert (options.trail_seconds, options.label) == (1.0, False)
    assert not options.style.corners
    assert tab.chat.asked == ["star"]
    assert tab.shown == [tab.result]


def test_another_moment_is_cut_and_keeps_its_rank(
    sessions: Sessions, clip: Path
) -> None:
    tab = Tab(sessions, clip, candidates=3)
    first = tab.result
    tab.press("fix", end="2.5")
    for wanted, start in ((3, 0.5), (2, 0.75)):
        tab.press("choose", choice=wanted)
        assert tab.result.rank == wanted
        assert span_of(tab.result) == (start, SPAN_SECONDS[1])
        assert tab.result.data["span"]["start_seconds"] == start
        moments = moments_of(tab.result.answer, wanted)  # type: ignore[arg-type]
        assert moments[0].rank == wanted
        assert sorted(moment.rank for moment in moments) == [1, 2, 3]
        # A correction belongs to the moment that is shown.
        tab.press("fix", end="2.5")
        assert tab.result.rank == wanted
    updates = tab.press("choose", choice=7)
    assert "no such moment" in updates[-1]["choice_line"]
    assert updates[-1]["choice"] == 2 and tab.result.rank == 2
    tab.press("choose", choice=1)
    assert tab.result.answer == first.answer and tab.chat.asked == ["star"]


def test_the_next_question_is_drawn_the_same_way(tab: Tab) -> None:
    tab.press("cut", pad_before=0.5, label="mine", box="frame")
    style = tab.session.style
    assert isinstance(tab.result.answer, Grounding)
    next_one = usual_options(tab.result.answer, style)
    assert not next_one.style.corners and next_one.pad_before_seconds == 0.5
    assert next_one.label and next_one.label_text is None
    unasked = usual_options(replace(tab.result.answer, query="", prose="it"), style)
    assert unasked.label_text == "it"
    tab.press("cut", label="")
    assert not usual_options(tab.result.answer, tab.session.style).label


def test_corrections_add_up_and_are_taken_back(tab: Tab) -> None:
    tab.press("fix", start="0.5")
    tab.editing.look("1.5", REQUEST)
    tab.press("fix", moment="1.5", x1=10, y1=20, x2=60, y2=80)
    answer: Any = tab.result.answer
    assert span_of(tab.result) == (0.5, SPAN_SECONDS[1])
    assert answer.tube.at(1.5) == pytest.approx([10, 20, 60, 80])
    data = json.loads(tab.result.json_path.read_text("utf-8"))
    assert data["corrected_by_hand"] is True
    tab.press("restore")
    assert span_of(tab.result) == SPAN_SECONDS
    assert "corrected_by_hand" not in tab.result.data


def test_a_correction_keeps_the_look_of_the_clip(tab: Tab) -> None:
    tab.press("cut", color="#ff0000", trail=2.0)
    tab.press("fix", end="2.5")
    assert tab.result.options.style.color_rgb == (255, 0, 0)
    assert tab.result.options.trail_seconds == 2.0


def test_a_look_gives_the_box_of_a_moment(tab: Tab) -> None:
    update = tab.editing.look("1.0", REQUEST)
    assert (update["x1"], update["y1"]) == (176.0, 54.0)
    assert "sc-canvas" in update["picture"]
    assert update["moment"] == "0:00:01.000"
    assert list(tab.session.folder.rglob("look_*.jpg"))
    outside = tab.editing.look("0.2", REQUEST)
    assert outside["x1"] is None and "display:none" in outside["picture"]
    late = tab.editing.look("9:00:00", REQUEST)
    assert late["moment"] == "0:00:03.000"
    assert "not a time" in tab.editing.look("soon", REQUEST)["fix_line"]


def test_a_box_is_not_put_on_another_picture_than_the_one_shown(tab: Tab) -> None:
    box = {"x1": 10, "y1": 20, "x2": 60, "y2": 80}
    [update] = tab.press("fix", moment="1.5", **box)
    assert 'role="alert"' in update["fix_line"]
    tab.editing.look("1.5", REQUEST)
    [update] = tab.press("fix", moment="1.6", **box)
    assert "Show this picture" in update["fix_line"]
    assert span_of(tab.result) == SPAN_SECONDS and not tab.shown


@pytest.mark.parametrize(
    ("what", "changed", "said"),
    [
        ("fix", {}, "Nothing was corrected"),
        ("fix", {"end": "x"}, "not a time"),
        ("cut", {"color": "red"}, "not a colour"),
        ("cut", {"pad_before": 1e9}, "up to 60"),
        ("cut", {"line_scale": 1e9}, "line_scale"),
        ("cut", {"trail": 1e9}, "trail_seconds"),
    ],
)
def test_what_can_not_be_used_is_said_and_nothing_changes(
    tab: Tab, what: str, changed: dict[str, Any], said: str
) -> None:
    before = tab.result
    [update] = tab.press(what, **changed)
    assert update.pop("choice") == 1
    [shown] = update.values()
    assert 'role="alert"' in shown and said in shown
    assert tab.result is before
    assert not list(tab.session.folder.rglob("again-*"))


def test_a_video_that_is_gone_is_said_and_the_answer_stays(tab: Tab) -> None:
    tab.result.answer.video.path.unlink()
    before = tab.result
    updates = tab.press("cut")
    assert 'role="alert"' in updates[-1]["style_line"] and updates[-1]["run"]
    assert tab.result is before


def test_without_an_answer_nothing_happens(tab: Tab) -> None:
    editing = tab.editing
    tab.session.run = None
    assert editing.look("1", REQUEST) == {"fix_line": ""}

    async def press() -> list[Any]:
        return [update async for update in editing.cut({}, REQUEST)]

    assert asyncio.run(press()) == []
