"""The library's remarks in other languages."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from stablechat import grounding, parser
from ui.remarks import remark


def sentences() -> list[str]:
    """Everything that the parser and the grounding may say of an answer."""
    found: list[str] = []
    for said in parser._SENTENCES.values():
        found += [said] if isinstance(said, str) else [said[0], said[1].format(12)]
    found += grounding._FINISH_ISSUES.values()
    tree = ast.parse(Path(grounding.__file__).read_text("utf-8"))
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(
            "issues.append"
        ):
            [said] = call.args
            if isinstance(said, ast.Constant):
                found.append(said.value)
            elif isinstance(said, ast.JoinedStr):
                parts = (
                    part.value if isinstance(part, ast.Constant) else "1.250"
                    for part in said.values
                )
                found.append("".join(parts))
    return found


def test_there_are_sentences_of_both() -> None:
    found = sentences()
    assert len(found) >= 30
    assert "The time was taken from the boxes." in found
    assert "The boxes cover 1.250 to 1.250 seconds, which is less than the span." in (
        found
    )


@pytest.mark.parametrize("sentence", sentences())
def test_every_sentence_is_known_in_chinese(sentence: str) -> None:
    chinese = remark("zh", sentence)
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    # Its numbers are kept.
    for number in re.findall(r"12|1\.250", sentence):
        assert number in chinese
    assert remark("en", sentence) == sentence


def test_numbers_go_to_their_places() -> None:
    said = "The boxes cover 0.120 to 3.400 seconds, which is less than the span."
    assert remark("zh", said).startswith("方框只覆盖 0.120 至 3.400 秒")


@pytest.mark.parametrize("odd", ["", "Something new.", "{0}", "(.+", "a\nb"])
def test_what_is_not_known_stays_as_it_is(odd: str) -> None:
    assert remark("zh", odd) == odd
