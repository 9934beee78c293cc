"""What was read, beside the model's text."""

from __future__ import annotations

import re
from dataclasses import replace

from shown_answers import VIDEO, answer

from stablechat.types import Description, Generation
from ui.results.parsed import parsed


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_time_boxes_and_words_are_told() -> None:
    read = plain(parsed("en", replace(answer(), prose="a star <b>")))
    assert "Time 0:02.000 to 0:04.000" in read
    assert "Boxes 2, from 0:02.000 to 0:04.000" in read
    assert "Words a star &lt;b&gt;" in read
    assert "written to its end" in read and "Nothing was odd" in read


def test_what_is_missing_and_odd_is_told_in_the_persons_language() -> None:
    cut = replace(
        answer(tube=None),
        span=None,
        issues=("The model's answer has no time.", "<b>"),
        generation=Generation("", (), "length"),
    )
    english, chinese = plain(parsed("en", cut)), plain(parsed("zh", cut))
    assert "Time none Boxes none" in english
    assert "cut off at its length limit" in english
    assert "The model's answer has no time." in english.replace("&#x27;", "'")
    assert "模型的回答中没有时间。" in chinese and "&lt;b&gt;" in chinese


def test_a_description_has_neither_time_nor_boxes() -> None:
    read = plain(parsed("en", Description(VIDEO, "", "x", Generation("x", (), "stop"))))
    assert "Boxes" not in read and "written to its end" in read
