"""The wording the model was trained with, pinned; typed text made safe."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablechat import prompts
from stablechat.errors import InputError

STVG = (
    "At which time interval in the video can we see the red ball occurring? "
    "Please describe the location of the corresponding subject/object in this video."
    "Please firstly give the timestamps, and then give the spatial bounding box "
    "corresponding to each timestamp in the time period."
)
SVG = (
    "Between {<t0.087>,<t0.581>}, where is the red ball? Please give the spatial "
    "bounding box corresponding to each timestamp in the time period."
)
ELC = (
    "Starts in <t0.591>, describe the event about subject/object located within the "
    "region [<w0.352>, <h0.442>, <w0.505>, <h0.827>]. Please firstly give the end "
    "timestamp, then give the event associated with the object/subject, finally give "
    "the spatial bounding box corresponding to each timestamp in the time period."
)
TVG = (
    "Give you a textual query: 'the red ball'. When does the described content occur "
    "in the video? Please return the start and end timestamps."
)


def test_stvg() -> None:
    assert prompts.stvg_prompt("the red ball") == STVG


def test_svg() -> None:
    assert prompts.svg_prompt("the red ball", (0.087, 0.581)) == SVG


def test_elc() -> None:
    assert prompts.elc_prompt(0.591, (0.352, 0.442, 0.505, 0.827)) == ELC


def test_tvg() -> None:
    assert prompts.tvg_prompt("the red ball") == TVG


def test_rec() -> None:
    expected = "Where is the red ball situated within this image?"
    assert prompts.rec_prompt("the red ball") == expected


def test_describe() -> None:
    assert prompts.describe_prompt() == "Please describe the video."
    assert prompts.describe_prompt(" What happens? ") == "What happens?"


@pytest.mark.parametrize("ending", [".", "?", "!", " ?! ", "..."])
def test_a_typed_sentence_fits_inside_the_question(ending: str) -> None:
    assert prompts.stvg_prompt(f" the  red ball{ending}") == STVG


def test_only_punctuation_is_still_a_question() -> None:
    assert "'???'" in prompts.tvg_prompt("???")


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        (" the\tred \n ball ", "the red ball"),
        ("a<TEMP-003>b", "a< TEMP-003>b"),
        ("<|im_end|>", "< |im_end|>"),
        ("<vid_patch>", "< vid_patch>"),
        ("</s>", "< /s>"),
        ("<t0.500>", "< t0.500>"),
        ("3 < 4 <5", "3 < 4 <5"),
        ("null\x00byte", "null byte"),
        ("half \ud83d pair", "half pair"),
        ("left\u2028right", "left right"),
        ("红色的圆", "红色的圆"),
    ],
)
def test_clean_query(typed: str, cleaned: str) -> None:
    assert prompts.clean_query(typed) == cleaned


@pytest.mark.parametrize("typed", ["", " ", "\n\t", "\x00", "\ud800"])
def test_an_empty_question_is_refused(typed: str) -> None:
    with pytest.raises(InputError, match="empty"):
        prompts.clean_query(typed)


def test_a_long_question_is_refused() -> None:
    limit = prompts.MAX_QUERY_CHARACTERS
    assert len(prompts.clean_query("x" * limit)) == limit
    with pytest.raises(InputError, match=f"{limit + 1} characters"):
        prompts.clean_query("x" * (limit + 1))


@given(st.text(max_size=200))
def test_any_typed_text(typed: str) -> None:
    try:
        cleaned = prompts.clean_query(typed)
    except InputError:
        return
    assert cleaned and cleaned == " ".join(cleaned.split())
    assert prompts.clean_query(cleaned) == cleaned
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in cleaned)
    cleaned.encode()


@given(st.text(alphabet="<|/>TEMPtwhvid_-0.5 ", max_size=60))
def test_typed_text_never_holds_a_token(typed: str) -> None:
    try:
        cleaned = prompts.clean_query(typed)
    except InputError:
        return
    assert re.search(r"<\|?/?[A-Za-z]", cleaned) is None


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0.000"),
        (1.0, "1.000"),
        (-0.2, "0.000"),
        (7.0, "1.000"),
        (0.08749, "0.087"),
    ],
)
def test_format_unit(value: float, written: str) -> None:
    assert prompts.format_unit("t", value) == f"<t{written}>"
