"""The page's small pieces of HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stablechat.correction import corrected
from stablechat.doubts import UNSURE_BELOW
from stablechat.parser import parse_answer
from stablechat.remarks import UNKNOWN_WORDS
from stablechat.sentences import Sentence
from stablechat.types import (
    Generation,
    Grounding,
    SecondLook,
    Task,
    TimeSpan,
    Tube,
    VideoInfo,
)
from ui import view
from ui.asks import Ask, Mode
from ui.i18n import Language, text
from ui.jobs import Progress
from ui.results import cards

VIDEO = VideoInfo(
    path=Path("a.MP4"),
    width=1280,
    height=720,
    rotation=0,
    fps=Fraction(30000, 1001),
    num_frames=300,
    duration_seconds=10.01,
    start_seconds=0.0,
    has_audio=False,
    codec="h264",
    warnings=("The end is damaged.",),
)
TUBE = Tube(np.array([1.0, 3.0]), np.array([[0.0, 0, 9, 9], [9, 9, 20, 20]]))


def asked(mode: Mode, *questions: str) -> list[Ask]:
    return [Ask(VIDEO.path, words, mode) for words in questions or ("x",)]


def answer(span: TimeSpan | None, tube: Tube | None) -> Grounding:
    generation = Generation("", (), "stop")
    return Grounding(VIDEO, "x", "stvg", span, tube, "", None, generation)


def test_found_line_says_from_when_to_when() -> None:
    card = cards.found("en", answer(TimeSpan(2.133, 5.4), TUBE), "<p>about</p>")
    assert "Found from 0:02.133 to 0:05.400" in card
    assert "<p>about</p>" in card
    assert "找到了" in cards.found("zh", answer(TimeSpan(2.133, 5.4), TUBE))


def test_what_was_asked_of_which_video_is_said() -> None:
    line = cards.about("en", "the <b> star", "a&b.mp4", 3.21)
    assert '<q class="sc-asked">the &lt;b&gt; star</q>' in line
    assert "a&amp;b.mp4" in line
    assert "3.2 s" in line
    assert "<q" not in cards.about("en", "", "a.mp4", 1)


def test_half_an_answer_is_said_as_such() -> None:
    assert "no box" in cards.found("en", answer(TimeSpan(1, 2), None))
    card = cards.found("en", answer(None, TUBE))
    assert "Found from 0:01.000 to 0:03.000" in card
    assert "no time" in card
    assert "Could not find it" in cards.found("en", answer(None, None))


def test_a_missing_box_is_said_once() -> None:
    [issue] = parse_answer("{<TEMP-020><TEMP-045>}", "stvg").issues
    assert issue == cards.NO_BOX_ISSUE
    card = cards.found("en", replace(answer(TimeSpan(1, 2), None), issues=(issue,)))
    assert card.count("no box") == 1


def test_lost_boxes_are_said_once_and_not_as_none_given() -> None:
    lost = Sentence("Boxes outside the span were left out: {count}.", count=7)
    half = replace(answer(TimeSpan(1, 2), None), issues=(lost,))
    card = cards.found("en", half)
    assert card.count("left out: 7") == 1
    assert "no box" not in card
    assert cards.found("zh", half).count("略去") == 1


def guess(sure: float | None, task: Task = "stvg") -> Grounding:
    return replace(answer(TimeSpan(1, 2), TUBE), confidence=sure, task=task)


def test_an_answer_that_is_rather_a_guess_is_told_as_one() -> None:
    sure, unsure = UNSURE_BELOW, UNSURE_BELOW - 0.01
    for confidence in (None, sure, 0.99):
        card = cards.found("en", guess(confidence))
        assert "sc-good" in card and "Found from" in card
    card = cards.found("en", guess(unsure))
    assert "sc-unsure" in card and "sc-good" not in card and "Found" not in card
    assert "Probably not there: the surest guess is 0:01.000 to 0:02.000" in card
    assert f"{unsure:.0%}" in card
    assert "很可能没有" in cards.found("zh", guess(unsure))
    # What a person corrected is no guess.
    mine = replace(guess(unsure), original=guess(unsure))
    assert "sc-good" in cards.found("en", mine)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_the_model_calls_it_is_said_and_another_thing_is_a_guess(
    language: Language,
) -> None:
    same = replace(guess(0.9), second_look=SecondLook("a <bird> flies", 0.0))
    other = replace(same, second_look=SecondLook("a <bird> flies", 0.5))
    cards_ = [cards.found(language, each) for each in (same, other)]
    assert all("a &lt;bird&gt; flies" in card for card in cards_)
    assert "sc-good" in cards_[0] and "sc-unsure" in cards_[1]
    reason = text(language, "something_else_body")
    assert reason not in cards_[0] and reason in cards_[1]
    assert "90%" not in cards_[1]  # it is sure of the wrong thing


def test_words_that_the_demo_model_does_not_know_are_said_once() -> None:
    beyond = replace(guess(0.9), issues=(Sentence(UNKNOWN_WORDS), "Odd."))
    card = cards.found("en", beyond)
    assert "sc-unsure" in card and "Found" not in card and "Odd." in card
    assert card.count("does not know these words") == 1
    assert cards.found("zh", beyond).count("不认识这些词") == 1


@pytest.mark.parametrize("task", ["stvg", "svg", "elc", "tvg", "rec"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_kind_of_answer_can_be_a_guess(language: Language, task: Task) -> None:
    sure, unsure = (cards.found(language, guess(each, task)) for each in (0.9, 0.0))
    assert "sc-good" in sure and "sc-unsure" in unsure
    titles = [card[card.index("<h2>") : card.index("</h2>")] for card in (sure, unsure)]
    assert titles[0] != titles[1]


def test_what_is_odd_about_the_video_is_said_with_the_answer() -> None:
    video, note = replace(VIDEO, warnings=("Two pictures are damaged.",)), "Odd."
    for found in (TimeSpan(1, 2), None):
        odd = replace(answer(found, None), video=video, issues=(note,))
        card = cards.found("en", odd)
        assert card.index("Two pictures are damaged.") < card.index(note)
    described = cards.described("en", asked=False, remarks=video.warnings)
    assert "Two pictures are damaged." in described


def test_many_remarks_are_folded_away() -> None:
    few, many = ("One.", "Two."), ("One.", "Two.", "Three.")
    assert "<details" not in cards.not_found("en", "stvg", few)
    assert "<details" in cards.not_found("en", "stvg", many)
    assert "3 remarks" in cards.not_found("en", "stvg", many)


@pytest.mark.parametrize(
    "html",
    [
        view.problem("en", "<img src=x onerror=alert(1)>"),
        view.video_problem("en", "<img src=x onerror=alert(1)>"),
        view.header("en", "<img src=x onerror=alert(1)>", "CPU", "float32"),
        cards.not_found("en", "stvg", ["<img src=x onerror=alert(1)>"]),
        cards.about("en", "<img src=x>", "<img src=x onerror=alert(1)>.mp4", 1.0),
    ],
)
def test_texts_from_outside_are_escaped(html: str) -> None:
    assert "<img" not in html
    assert "&lt;img" in html


def test_stages_before_now_and_after() -> None:
    card = view.working("en", asked("ground"), Progress("encode", 0.5))
    assert '<li class="sc-done">Read video</li>' in card
    assert 'aria-current="step">Look at frames <span>50%</span>' in card
    assert '<li class="sc-next">Draw clip</li>' in card
    assert 'aria-valuenow="38"' in card


def test_describing_draws_no_clip() -> None:
    assert "Draw clip" not in view.working("en", asked("describe"), Progress())


def test_an_unknown_stage_is_no_error() -> None:
    assert "Read video" in view.working("en", asked("ground"), Progress("warm up", 0.1))


def test_video_line_gives_the_facts_and_warnings() -> None:
    line = view.video_line("en", VIDEO)
    assert "0:10.010" in line
    assert "29.97 fps" in line
    assert "no sound" in line
    assert "The end is damaged." in line
    assert "browser" not in line and "<style" not in line


def test_a_format_that_browsers_do_not_play_is_said() -> None:
    for video in (
        replace(VIDEO, codec="hevc"),
        replace(VIDEO, path=Path("a.avi")),
    ):
        line = view.video_line("en", video, "data:image/jpeg;base64,AAAA")
        assert "browsers can't play this" in line.replace("&#x27;", "'")
        assert "url(data:image/jpeg;base64,AAAA)" in line
        assert "<style" not in view.video_line("en", video)


def test_demo_notice_says_how_to_load_the_real_model() -> None:
    for language in ("en", "zh"):
        words = re.sub(r"<[^>]+>", "", view.demo_notice(language))
        assert "--model appletea2333/LLaVA-ST-Qwen2-7B" in words


def test_keys_are_named_with_what_they_do() -> None:
    assert "<kbd>Ctrl+Enter</kbd></dt><dd>runs</dd>" in view.keys("en")
    assert "<kbd>Esc</kbd></dt><dd>停止</dd>" in view.keys("zh")


def test_a_correction_is_told_apart_from_what_the_model_found() -> None:
    better = corrected(answer(TimeSpan(2.0, 3.0), TUBE), TimeSpan(1.0, 2.5))
    card = cards.found("en", better, "<p>about</p>")
    assert "Corrected by hand: 0:01.000 to 0:02.500" in card
    assert "The model had found 0:02.000 to 0:03.000." in card
    assert "<p>about</p>" in card
    assert "手动更正" in cards.found("zh", better)


def test_several_questions_are_counted() -> None:
    asks = asked("ground", "<one>", "two", "three")
    first = view.working("en", asks, Progress("read", 0.0, 0, 3))
    assert (
        "Question 1 of 3" in first and "&lt;one&gt;" in first and "<one>" not in first
    )
    assert 'aria-valuenow="0"' in first
    half = view.working("en", asks, Progress("encode", 0.0, 1, 3))
    assert "Question 2 of 3" in half and 'aria-valuenow="31"' in half
    last = view.working("en", asks, Progress("draw", 0.5, 3, 3))
    assert "Joining the clips" in last and 'aria-valuenow="88"' in last
    assert "Read video" not in last
    assert "第 2 个问题" in view.working("zh", asks, Progress("read", 0, 1, 3))
