"""Guesses: what is guessed, and that a wrong guess changes nothing."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import torch
from fake_decoder import FIRST, FakeDecoder, height, scripted, time, width
from hypothesis import given
from hypothesis import strategies as st

from stablechat.generation import drafter as drafter_module
from stablechat.generation.choice import Chooser
from stablechat.generation.drafter import Drafter
from stablechat.generation.forms import AnswerForm, Tables, answer_form
from stablechat.generation.motion import Motion
from stablechat.generation.sampler import Sampler
from stablechat.generation.stopping import StopRule
from stablechat.generation.tree import DraftTree
from stablechat.generation.writer import Writer
from stablechat.last_row import LastRow
from stablechat.types import GenerationConfig, Task

TABLES = Tables(FIRST)
END = 99
COLON, COMMA, SPACE = 40, 41, 42
FLAT = {1: 1.0, 64: 1.0}


def encode(text: str) -> list[int]:
    """A token for each word of the forms."""
    known = {":[": [COLON], "], ": [COMMA, SPACE], "].": [43], "]": [44], "],": [COMMA]}
    return known.get(text) or [1 + sum(map(ord, text)) % 30]


def row(at: int, x1: int, y1: int, x2: int, y2: int) -> list[int]:
    box = [width(x1), height(y1), width(x2), height(y2)]
    return [time(at), COLON, *box, COMMA, SPACE]


def stvg(first: int, boxes: list[tuple[int, int, int, int]]) -> list[int]:
    last = first + len(boxes) - 1
    opening = [*encode("During the span of {"), time(first), time(last)]
    opening += encode("}. Object bounding box: ")
    return opening + [
        token for i, box in enumerate(boxes) for token in row(first + i, *box)
    ]


def write(
    script: list[int],
    task: Task | None = "stvg",
    speculate: bool = True,
    limit: int = 900,
    decoder: FakeDecoder | None = None,
    last_row: LastRow | None = None,
) -> Writer:
    config = GenerationConfig(max_new_tokens=limit)
    sampler = Sampler(config, torch.device("cpu"))
    form = answer_form(task, encode, TABLES) if task else AnswerForm()
    drafter = Drafter(TABLES, form, last_row) if speculate else None
    chooser = Chooser(sampler, None, FIRST, limit)
    rule = StopRule({END}, limit, last_row)
    writer = Writer(decoder or FakeDecoder(scripted(script)), chooser, drafter, rule)
    writer.read_prompt(torch.zeros(1, 1, 1), sampler)
    writer.write()
    return writer


STEADY = [(10, 20, 30, 40)] * 40
MOVING = [(10 + i, 20, 30 + i, 40) for i in range(40)]
GROWING = [(40 - i // 2, 30, 50 + i // 2, 60 + i // 3) for i in range(40)]


@pytest.mark.parametrize(("boxes", "least"), [(STEADY, 20), (MOVING, 16), (GROWING, 7)])
def test_tables_take_few_passes(
    boxes: list[tuple[int, int, int, int]], least: float
) -> None:
    script = [*stvg(5, boxes), END]
    writer = write(script)
    assert writer.tokens == script[:-1]
    assert len(script) / writer.num_passes > least
    assert write(script, speculate=False).num_passes == len(script) - 1


def test_nothing_is_guessed_beyond_the_last_row() -> None:
    script = stvg(5, STEADY)
    decoder = FakeDecoder(scripted(script))
    write(script, decoder=decoder, last_row=LastRow(FIRST, 2))
    guessed = {token for tree in decoder.trees for token in tree.tokens}
    assert time(44) in guessed
    assert not guessed & {time(value) for value in range(45, 100)}


def test_a_text_is_written_token_by_token() -> None:
    decoder = FakeDecoder(scripted([*range(30), END]))
    write([], "describe", decoder=decoder)
    assert all(len(tree) == 1 for tree in decoder.trees)


def test_rows_of_another_form_are_learnt() -> None:
    strange = [
        token
        for i in range(30)
        for token in (7, time(i), 8, 9, width(5), height(6), width(7), height(8), 10)
    ]
    writer = write([*strange, END], task=None)
    assert writer.tokens == strange
    assert len(strange) / writer.num_passes > 10


def test_places_are_counted_from_the_start() -> None:
    decoder = FakeDecoder(scripted([*stvg(0, MOVING), END]))
    writer = write([], decoder=decoder)
    assert decoder.places[0] == 1
    assert decoder.places == sorted(decoder.places)
    assert decoder.places[-1] <= len(writer.tokens)


TOKENS = st.one_of(
    st.integers(0, FIRST + 299),
    st.sampled_from([COLON, COMMA, SPACE, time(3), width(50), height(50)]),
)
BOXES = st.lists(st.tuples(*[st.integers(0, 99)] * 4), min_size=1, max_size=12)


@given(st.lists(TOKENS, max_size=80), st.sampled_from(["stvg", "svg", "elc", None]))
def test_any_answer_is_the_same(script: list[int], task: Task | None) -> None:
    limit = len(script) + 3
    plain = write(script, task, speculate=False, limit=limit)
    assert write(script, task, limit=limit).tokens == plain.tokens


@given(BOXES, st.integers(0, 87), st.data())
def test_damaged_tables_are_the_same(
    boxes: list[tuple[int, int, int, int]], first: int, data: st.DataObject
) -> None:
    script = stvg(first, boxes)
    for place in data.draw(st.lists(st.integers(0, len(script) - 1), max_size=4)):
        script[place] = data.draw(TOKENS)
    cut = script[: data.draw(st.integers(1, len(script)))]
    rule = data.draw(st.sampled_from([None, LastRow(FIRST, 2)]))
    limit = data.draw(st.integers(1, len(script) + 5))
    plain = write(cut, speculate=False, limit=limit, last_row=rule)
    assert write(cut, limit=limit, last_row=rule).tokens == plain.tokens


@given(BOXES, st.booleans(), st.integers(1, 64))
def test_trees_are_well_formed(
    boxes: list[tuple[int, int, int, int]], branches: bool, size: int
) -> None:
    drafter = Drafter(TABLES, answer_form("stvg", encode, TABLES))
    for token in stvg(0, boxes):
        drafter.see(token)
        tree = drafter.tree({1: 1.0, size: 1.0}, branches=branches)
        assert 1 <= len(tree) <= size
        assert tree.tokens[0] == token
        siblings = list(zip(tree.parents, tree.tokens, strict=True))
        assert len(set(siblings)) == len(siblings)
        if not branches:
            assert list(tree.parents) == list(range(-1, len(tree) - 1))


def test_a_dear_pass_reads_fewer_tokens() -> None:
    drafter = Drafter(TABLES, answer_form("stvg", encode, TABLES))
    for token in stvg(0, GROWING[:20]):
        drafter.see(token)
    cheap = drafter.tree(FLAT)
    dear = drafter.tree({n: float(n) ** 0.9 for n in (1, 2, 4, 8, 16, 32, 64)})
    assert 1 <= len(dear) < len(cheap) == 64
    assert cheap.tokens[: len(dear)] == dear.tokens


@given(BOXES, st.lists(st.floats(1.0, 1.5), min_size=5, max_size=5))
def test_guessing_ends_early_only_where_nothing_is_lost(
    boxes: list[tuple[int, int, int, int]], steps: list[float]
) -> None:
    times = [float(np.prod(steps[:n])) for n in range(6)]
    costs = dict(zip((1, 4, 8, 16, 32, 64), times, strict=True))
    drafter = Drafter(TABLES, answer_form("stvg", encode, TABLES))
    for token in stvg(0, boxes):
        drafter.see(token)
        chosen = drafter.tree(costs)
        with mock.patch.object(drafter_module, "_may_win", return_value=True):
            assert drafter.tree(costs) == chosen


def test_a_still_box_is_guessed_with_certainty() -> None:
    motion = Motion()
    for _ in range(20):
        motion.add((5.0, 6.0, 7.0, 8.0))
    (value, probability), *_ = motion.guesses(
        motion.expected((5.0, 6.0, 7.0, 8.0), ()), 0
    )
    assert value == 5
    assert probability > 0.9


@pytest.mark.parametrize("edge", [0.0, 99.0])
def test_guesses_stay_in_the_picture(edge: float) -> None:
    motion = Motion()
    step = -3.0 if edge == 0 else 3.0
    for i in range(5):
        motion.add(tuple(edge - step * (4 - i) for _ in range(4)))
    expected = motion.expected((edge,) * 4, ())
    assert all(0 <= value <= 99 for value, _ in motion.guesses(expected, 0))


def test_children_are_found() -> None:
    tree = DraftTree((5, 77, 13, 77), (-1, 0, 0, 2))
    assert tree.child(0, 77) == 1
    assert tree.child(2, 77) == 3
    assert tree.child(1, 77) is None
    assert tree.depths() == [0, 1, 1, 2]
    assert tree.ancestors().sum(axis=1).tolist() == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("tokens", "parents"),
    [((), ()), ((1, 2), (-1,)), ((1,), (0,)), ((1, 2), (-1, 1)), ((1, 2), (-1, -1))],
)
def test_a_tree_that_is_none(tokens: tuple[int, ...], parents: tuple[int, ...]) -> None:
    from stablechat.errors import InputError

    with pytest.raises(InputError):
        DraftTree(tokens, parents)
