"""What is made of a form: a checked question, or one plain line."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stablechat.errors import InputError
from stablechat.types import TimeSpan
from ui.asking import checking
from ui.asking.checking import Checker, MissingError
from ui.asking.form import AskForm
from ui.asks import Ask
from ui.session import Sessions
from ui.settings import MAX_CANDIDATES, MAX_PARTS, MAX_QUESTIONS
from ui.tab import Look

BOX = (20.0, 30.0, 100.0, 90.0)


@pytest.fixture
def video(sessions: Sessions, clip: Path) -> str:
    folder = sessions.root / "0a1b"
    folder.mkdir()
    return str(shutil.copy(clip, folder))


@pytest.fixture
def checker(sessions: Sessions) -> Checker:
    return Checker(sessions, sessions.get("a"), "en")


def form(video: str | None, mode: Any, **others: Any) -> AskForm:
    return AskForm(video, others.pop("question", "the star"), mode, **others)


def only(checker: Checker, filled: AskForm) -> Ask:
    """The one question that was asked."""
    [ask] = checker.asks(filled)
    return ask


@pytest.mark.parametrize(
    ("typed", "span"),
    [
        (("0:01", "0:02.5"), (1.0, 2.5)),
        (("", ""), (0.0, 3.0)),
        (("1,5", ""), (1.5, 3.0)),
        (("", "0:00:59"), (0.0, 3.0)),  # no later than the video
    ],
)
def test_boxes_are_asked_for_in_a_time(
    checker: Checker, video: str, typed: tuple[str, str], span: tuple[float, float]
) -> None:
    ask = only(checker, form(video, "svg", span=typed))
    assert ask.span is not None and ask.region is None
    assert (ask.span.start_seconds, ask.span.end_seconds) == pytest.approx(span)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("soon", ""), "not a time"),
        (("", "later"), "not a time"),
        (("2", "1"), "after the start"),
        (("2", "2"), "after the start"),
        (("0:04", ""), "ends at 0:03.000"),
        (("3", ""), "after the start"),
    ],
)
def test_times_that_can_not_be_used_are_refused(
    checker: Checker, video: str, typed: tuple[str, str], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        only(checker, form(video, "svg", span=typed))


def test_an_object_needs_no_words(checker: Checker, video: str) -> None:
    checker.session.asked_look = Look(Path(video), 1.5)
    ask = only(checker, form(video, "elc", question=" ", region=BOX))
    assert (ask.region, ask.start_seconds, ask.question) == (BOX, 1.5, "")
    typed = only(checker, form(video, "elc", region=BOX, start="0:01.5"))
    assert typed.start_seconds == 1.5


def test_a_region_may_be_typed_without_a_picture(checker: Checker, video: str) -> None:
    ask = only(checker, form(video, "elc", region=BOX, start="1"))
    assert ask.start_seconds == 1.0


def test_a_region_is_held_inside_the_picture(checker: Checker, video: str) -> None:
    ask = only(checker, form(video, "elc", region=(-5, 0, 900, 900)))
    assert ask.region == (0, 0, 320, 180)


@pytest.mark.parametrize(
    ("region", "start", "words"),
    [
        ((None,) * 4, "", "draw a box"),
        ((1, 2, None, 4), "", "all four sides"),
        ((50, 50, 50, 60), "", "no area"),
        ((60, 50, 50, 60), "", "no area"),
        ((400, 10, 500, 60), "", "no area"),  # beside the picture
        (BOX, "0:02", "another moment"),
        (BOX, "0:09", "ends at"),
    ],
)
def test_regions_that_can_not_be_used_are_refused(
    checker: Checker, video: str, region: Any, start: str, words: str
) -> None:
    checker.session.asked_look = Look(Path(video), 1.5)
    with pytest.raises(InputError, match=words):
        only(checker, form(video, "elc", region=region, start=start))


def test_a_picture_of_another_video_does_not_count(
    checker: Checker, video: str, sessions: Sessions
) -> None:
    checker.session.asked_look = Look(sessions.root / "other.mp4", 1.5)
    ask = only(checker, form(video, "elc", region=BOX, start="0:02"))
    assert ask.start_seconds == 2.0


def test_a_still_image_needs_no_video_and_comes_first(
    checker: Checker, video: str
) -> None:
    still = Path(video).with_name("photo.png")
    Image.new("RGB", (64, 48)).save(still)
    for given in (None, video):
        ask = only(checker, form(given, "rec", still=str(still), moment="0:01"))
        assert (ask.video, ask.at_seconds) == (still, None)
    ask = only(checker, form(video, "rec", moment="0:01"))
    assert (ask.video, ask.at_seconds) == (Path(video), 1.0)
    # An image that is left over from another question is not asked about.
    assert only(checker, form(video, "tvg", still=str(still))).video == Path(video)
    with pytest.raises(MissingError, match="no picture"):
        only(checker, form(None, "rec"))
    with pytest.raises(InputError, match="ends at"):
        only(checker, form(video, "rec", moment="4"))


@pytest.mark.parametrize("mode", ["ground", "svg", "tvg", "rec"])
def test_all_others_need_words(checker: Checker, video: str, mode: str) -> None:
    with pytest.raises(MissingError, match="question is empty"):
        only(checker, form(video, mode, question="\n "))


def test_a_forged_request_gets_no_more_than_the_page_offers(
    checker: Checker, video: str
) -> None:
    assert only(checker, form(video, "ground", candidates=MAX_CANDIDATES)).candidates
    for count in (MAX_CANDIDATES + 1, 10**9, 0, -1):
        with pytest.raises(InputError):
            only(checker, form(video, "ground", candidates=count))


def test_a_still_image_of_a_stranger_is_refused(checker: Checker) -> None:
    with pytest.raises(InputError, match="not uploaded here"):
        only(checker, form(None, "rec", still="/etc/hostname"))


def test_the_time_of_the_question_is_the_whole_video(
    checker: Checker, video: str
) -> None:
    assert only(checker, form(video, "svg")).span == TimeSpan(0.0, 3.0)


def test_each_line_is_a_question(checker: Checker, video: str) -> None:
    typed = "the star\n\n  the red circle \r\nthe star\n"
    asks = checker.asks(form(video, "ground", question=typed, candidates=2))
    assert [ask.question for ask in asks] == ["the star", "the red circle", "the star"]
    assert len({ask.number for ask in asks}) == 3
    assert {ask.candidates for ask in asks} == {2}
    described = checker.asks(form(video, "describe", question="What?\nWho?"))
    assert [ask.question for ask in described] == ["What?", "Who?"]
    # What is drawn is one question; its words are a label.
    drawn = form(video, "elc", question="my\nlabel", region=BOX, start="1")
    assert only(checker, drawn).question == "my label"


def test_one_bad_line_is_refused_before_anything_is_asked(
    checker: Checker, video: str
) -> None:
    with pytest.raises(InputError, match="limit is 1000"):
        checker.asks(form(video, "ground", question="good\n" + "x" * 1500))
    many = "\n".join(["the star"] * (MAX_QUESTIONS + 1))
    with pytest.raises(InputError, match=f"No more than {MAX_QUESTIONS}"):
        checker.asks(form(video, "ground", question=many))


def test_a_part_may_be_all_that_is_looked_at(checker: Checker, video: str) -> None:
    part = TimeSpan(0.5, 2.5)
    typed = ("0:00.5", "2,5")
    for mode in ("ground", "describe", "tvg", "captions"):
        assert only(checker, form(video, mode, segment=typed)).segment == part
        assert only(checker, form(video, mode)).segment is None
    assert only(checker, form(video, "rec", segment=typed)).segment is None
    svg = form(video, "svg", segment=typed, span=("1", "2"))
    assert only(checker, svg).segment == part
    elc = form(video, "elc", segment=typed, region=BOX, start="1")
    assert only(checker, elc).segment == part
    to_the_end = only(checker, form(video, "ground", segment=("2", ""))).segment
    assert to_the_end is not None and to_the_end.end_seconds == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("mode", "more", "words"),
    [
        ("ground", {"segment": ("soon", "")}, "not a time"),
        ("describe", {"segment": ("2", "1")}, "after the start"),
        ("tvg", {"segment": ("0:04", "")}, "ends at 0:03.000"),
        ("svg", {"segment": ("1", "2"), "span": ("", "")}, "outside the part"),
        ("svg", {"segment": ("1", "2"), "span": ("1.5", "2.5")}, "outside the part"),
        ("elc", {"segment": ("1", "2"), "region": BOX, "start": "0.5"}, "outside the"),
    ],
)
def test_parts_that_can_not_be_used_are_refused(
    checker: Checker, video: str, mode: str, more: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        only(checker, form(video, mode, **more))


def test_a_short_part_of_a_long_video_is_one_question(
    checker: Checker, video: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "LONG_VIDEO_SECONDS", 1.5)
    monkeypatch.setattr(checking, "DEFAULT_WINDOW_SECONDS", 1.0)
    counts = [
        only(checker, form(video, "ground", segment=typed)).num_windows
        for typed in (("", ""), ("1", "2"), ("1", "3"))
    ]
    assert counts == [4, 1, 3]


def test_parts_need_no_words_and_have_a_usual_length(
    checker: Checker, video: str
) -> None:
    ask = only(checker, form(video, "captions", question=""))
    assert (ask.question, ask.part_seconds, ask.num_answers) == ("", 20.0, 1)
    ask = only(checker, form(video, "captions", part_seconds=1))
    assert (ask.question, ask.part_seconds, ask.num_answers) == ("the star", 1.0, 3)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "more than 0 seconds"),
        (-1, "more than 0 seconds"),
        (float("nan"), "more than 0 seconds"),
        (float("inf"), "more than 0 seconds"),
        (0.001, f"more than {MAX_PARTS} parts; give a length of 0.1 seconds"),
        (1e-320, "more than 500 parts"),
    ],
)
def test_parts_that_can_not_be_are_refused(
    checker: Checker, video: str, seconds: float, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        checker.asks(form(video, "captions", part_seconds=seconds))
