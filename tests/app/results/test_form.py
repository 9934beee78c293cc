"""The forms under an answer, as values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from shown_answers import TUBE, answer

from render.boxes import BoxStyle
from render.encoding import DEFAULT_OPTIONS, ClipOptions
from stablechat.errors import InputError
from stablechat.types import TimeSpan
from ui.results.form import (
    CorrectionForm,
    StyleForm,
    color_text,
    parse_color,
)

CHOSEN = ClipOptions(
    draw_boxes=True,
    label=True,
    label_text="here",
    pad_before_seconds=1.5,
    pad_after_seconds=0.5,
    style=BoxStyle(color_rgb=(1, 2, 255), line_scale=2.0, corners=False),
    trail_seconds=3.0,
)


@pytest.mark.parametrize(
    "options",
    [
        CHOSEN,
        replace(CHOSEN, draw_boxes=False, style=replace(CHOSEN.style, corners=True)),
        replace(CHOSEN, label=False, label_text=None),
    ],
)
def test_what_was_chosen_comes_back(options: ClipOptions) -> None:
    form = StyleForm.of(options, "the star")
    again = StyleForm.of(form.options(), "the star")
    assert again == form


def test_the_usual_look_has_the_question_as_its_label() -> None:
    form = StyleForm.of(DEFAULT_OPTIONS, "the star")
    assert (form.label, form.box, form.trail_seconds) == ("the star", "corners", 0)
    options = form.options()
    assert options.style == DEFAULT_OPTIONS.style and options.draw_boxes
    assert not replace(form, box="none").options().draw_boxes
    assert not replace(form, label="  ").options().label


def test_padding_may_be_empty_and_is_bounded() -> None:
    form = StyleForm.of(DEFAULT_OPTIONS, "")
    empty = replace(form, pad_before_seconds=None, pad_after_seconds=None)
    assert empty.options().pad_before_seconds == 0
    for seconds in (-1.0, 61.0, float("nan")):
        with pytest.raises(InputError, match="up to 60 seconds"):
            replace(form, pad_after_seconds=seconds).options()


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("#2ed5ff", (46, 213, 255)),
        ("#FFFFFF", (255, 255, 255)),
        ("rgb(1, 2, 3)", (1, 2, 3)),
        ("rgba(46.2, 213, 254.7, 0.5)", (46, 213, 255)),
        (" rgba( 0,0,0,1 ) ", (0, 0, 0)),
    ],
)
def test_colours(text: str, color: tuple[int, int, int]) -> None:
    assert parse_color(text) == color
    assert parse_color(color_text(color)) == color


@pytest.mark.parametrize(
    "text", ["", "red", "#12345", "#1234567", "rgb(1,2)", "rgb(256, 0, 0)", "#gggggg"]
)
def test_what_is_no_colour(text: str) -> None:
    with pytest.raises(InputError, match="not a colour"):
        parse_color(text)


def test_times_are_read_as_people_write_them() -> None:
    better = CorrectionForm("0:00:01.5", "3,25").applied_to(answer())
    assert better.span == TimeSpan(1.5, 3.25)
    kept = CorrectionForm("", "3.5").applied_to(answer())
    assert kept.span == TimeSpan(2.0, 3.5)


def test_a_time_as_the_field_shows_it_is_no_correction() -> None:
    odd = answer(2.00049, 4.0)
    with pytest.raises(InputError, match="Nothing was corrected"):
        CorrectionForm("0:00:02.000", "0:00:04.000").applied_to(odd)


def test_a_box_is_one_only_if_it_differs() -> None:
    own = TUBE.at(3.0)
    assert own is not None
    sides = tuple(round(float(side), 1) for side in own)
    shown = CorrectionForm("", "", 3.0, sides)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Nothing was corrected"):
        shown.applied_to(answer())
    better = replace(shown, xyxy=(10, 20, 30, 40)).applied_to(answer())
    assert better.tube is not None
    assert better.tube.at(3.0) == pytest.approx([10, 20, 30, 40])
    # Without a moment the sides mean nothing.
    with pytest.raises(InputError, match="Nothing"):
        replace(shown, moment_seconds=None, xyxy=(1, 2, 3, 4)).applied_to(answer())


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (CorrectionForm("soon", ""), "not a time"),
        (CorrectionForm("5", "3"), "after the start"),
        (CorrectionForm("", "99"), "ends at 10"),
        (CorrectionForm("", "", 3.0, (1, 2, None, 4)), "all four sides"),
        (CorrectionForm("", "", 3.0, (5, 2, 1, 4)), "x1 < x2"),
        (CorrectionForm("", "", 9.0, (1, 2, 3, 4)), "outside the time"),
    ],
)
def test_what_can_not_be_used(form: CorrectionForm, said: str) -> None:
    with pytest.raises(InputError, match=said):
        form.applied_to(answer())


def test_nothing_found_can_not_be_corrected() -> None:
    lost = replace(answer(tube=None), span=None)
    with pytest.raises(InputError, match="nothing was found"):
        CorrectionForm("1", "2").applied_to(lost)
