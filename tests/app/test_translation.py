"""Everything that the library may say to a person, in the languages of the page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from stablechat import errors, grounding, remarks
from stablechat.errors import InputError, LimitError
from stablechat.sentences import Sentence
from ui.translation import SENTENCES, in_language

ROOT = Path(__file__).parents[2]

#: What takes part in answering a question on the page, or in loading a model there.
SPEAKERS = [
    *("adapters", "confidence", "correction", "grounding", "hub", "loader"),
    *("model/config", "model/tokens", "pictures", "placement", "prompts"),
    "captions",
    *("quantization", "questions", "shortage", "times", "weights", "candidates"),
    *("video/_damage", "video/_inspect", "video/_open", "video/_pictures"),
    *("video/_timeline", "video/isolation/parent", "video/isolation/child"),
    *("video/sampling", "turn", "encoding"),
    *("links/addresses", "links/network", "links/fetching"),
]
RENDERERS = [
    *("_tasks", "clipper", "output", "parts", "exports/files", "exports/registry"),
    "exports/saving",
]
#: Said to whoever starts the program or calls it, in a terminal.
IN_A_TERMINAL = ("server.py", "disk.py", "folder.py", "mcp_server.py", "mcp_page.py")
SOURCES = [
    *(ROOT / "stablechat" / f"{name}.py" for name in SPEAKERS),
    *(ROOT / "render" / f"{name}.py" for name in RENDERERS),
    *(path for path in (ROOT / "ui").rglob("*.py") if path.name not in IN_A_TERMINAL),
]
#: Said to programmers only.
FOR_PROGRAMMERS = {
    "frames must be a uint8 array, got {kind}.",
    "frames must be (N, H, W, 3), got {shape}.",
    "The sampled frames need one finite time each.",
    "The sampled frames' times must not decrease.",
}

_SAYING = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.StableChatError)
} | {"Sentence"}
_COLLECTED = ("issues.append", "found.append", "warnings.append")


def said_in(source: Path) -> Iterator[ast.expr]:
    """The words of every error that is made in a module, and of every remark."""
    for call in ast.walk(ast.parse(source.read_text("utf-8"))):
        if not (isinstance(call, ast.Call) and call.args):
            continue
        called = ast.unparse(call.func)
        if called in _SAYING or called.endswith(_COLLECTED):
            yield call.args[0]


def words_of(said: ast.expr) -> Iterator[str]:
    if isinstance(said, ast.Constant) and isinstance(said.value, str):
        yield said.value
    elif isinstance(said, ast.IfExp):
        yield from words_of(said.body)
        yield from words_of(said.orelse)


def all_words() -> list[str]:
    """Every sentence that can reach the page."""
    words = {
        each
        for source in SOURCES
        for said in said_in(source)
        for each in words_of(said)
    }
    for said in remarks.ODDITIES.values():
        words |= {said} if isinstance(said, str) else set(said)
    words |= {*grounding._FINISH_ISSUES.values(), *remarks.LOST_BOXES}
    return sorted(words - FOR_PROGRAMMERS - {""})


def _braces(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_there_are_many() -> None:
    words = all_words()
    assert len(words) > 150
    assert "The time was taken from the boxes." in words
    assert "{name} is empty (0 bytes); copy or upload it again." in words


@pytest.mark.parametrize("words", all_words())
def test_every_sentence_is_known_in_chinese(words: str) -> None:
    chinese = SENTENCES["zh"][words]
    if words not in ("{first}, {rest}",):
        assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert _braces(chinese) == _braces(words)
    assert not re.search(r"[\u4e00-\u9fff][,:;?]", chinese), "a half-width mark"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_nothing_is_said_in_words_that_can_not_be_looked_up(source: Path) -> None:
    """An f-string is another sentence each time."""
    loose = [ast.unparse(said) for said in said_in(source)]
    assert [words for words in loose if words.startswith(("f'", 'f"'))] == []


def test_values_go_to_their_places() -> None:
    said = Sentence(
        "The boxes cover {start:.3f} to {end:.3f} seconds, which is less than the "
        "span.",
        start=0.12,
        end=3.4,
    )
    assert in_language("zh", said).startswith("方框只覆盖 0.120 至 3.400 秒")
    assert in_language("en", said).startswith("The boxes cover 0.120 to 3.400")
    error = LimitError(
        "{name} has {size:,} bytes and the limit is {max_bytes:,}; cut or compress it "
        "first.",
        name="a.mp4",
        size=3_000_000,
        max_bytes=2_000_000,
    )
    assert "3,000,000" in in_language("zh", error) and "上限" in in_language(
        "zh", error
    )
    assert in_language("en", error) == str(error)


def test_sentences_inside_sentences_are_said_too() -> None:
    error = InputError(
        "{name} is not a video that can be read ({reason}); check that it plays, or "
        "convert it to MP4.",
        name="a.mp4",
        reason=Sentence("it is damaged or of an unknown kind"),
    )
    assert "它已损坏" in in_language("zh", error)


@pytest.mark.parametrize("odd", ["", "Something new.", "{0}", "(.+", "a\nb", "{"])
def test_what_is_not_known_stays_as_it_is(odd: str) -> None:
    assert in_language("zh", odd) == odd
    assert in_language("zh", InputError(odd)) == odd


def test_values_that_do_not_fit_leave_the_english() -> None:
    words = (
        "{name} has {size:,} bytes and the limit is {max_bytes:,}; cut or compress it "
        "first."
    )
    for values in ({}, {"name": "x", "size": "many", "max_bytes": "few"}):
        data = {"text": "English", "template": words, "values": values}
        assert in_language("zh", Sentence.from_data(data)) == "English"
