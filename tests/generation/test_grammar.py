"""With the grammar every answer is whole, whatever the model would like to say."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stablechat.generation.choice import Chooser
from stablechat.generation.decoder import Reading
from stablechat.generation.drafter import Drafter
from stablechat.generation.forms import Tables, answer_form
from stablechat.generation.grammar import MAX_PROSE_TOKENS, Grammar
from stablechat.generation.sampler import Sampler
from stablechat.generation.stopping import StopRule
from stablechat.generation.tree import DraftTree
from stablechat.generation.writer import Writer
from stablechat.last_row import LastRow
from stablechat.loader import load_model
from stablechat.model.tokens import PromptTokenizer
from stablechat.parser import parse_answer
from stablechat.types import FinishReason, GenerationConfig, ParsedAnswer, Task

TASKS: tuple[Task, ...] = ("stvg", "svg", "elc", "tvg", "rec")
SPAN = "During the span of {<TEMP-010><TEMP-020>}. Object bounding box: "
#: Tokens of the longest opening and one row.
ROOM_FOR_A_ROW = 13 + 8 + 96


@cache
def tokenizer() -> PromptTokenizer:
    return load_model(device="cpu").tokenizer


@cache
def tables() -> Tables:
    return Tables(tokenizer().token_id("<TEMP-000>"))


def grammar(task: Task, end_bin: int | None = None) -> Grammar:
    encode = tokenizer().encode
    return Grammar(
        answer_form(task, encode, tables()),
        tables(),
        encode,
        tokenizer().end_token_ids,
        tokenizer().control_token_ids,
        end_bin,
    )


class Babble:
    """A model that wants anything at all, always the same after the same beginning."""

    branches = True
    costs = {1: 1.0, 32: 1.0}  # noqa: RUF012

    def __init__(self, seed: int, favourites: Sequence[int] = ()) -> None:
        self._seed = seed
        self._favourites = list(favourites)
        self._kept: list[int] = []
        self._tree = DraftTree((0,), (-1,))

    def read_prompt(self, embeds: Tensor, sampler: Sampler, limit: int) -> Reading:
        self._kept = []
        return self._reading([[]])

    def read(self, tree: DraftTree, place: int, *, ahead: bool = False) -> Reading:
        self._tree = tree
        paths: list[list[int]] = []
        for token, parent in zip(tree.tokens, tree.parents, strict=True):
            paths.append([*(paths[parent] if parent >= 0 else self._kept), token])
        return self._reading(paths)

    def keep(self, path: Sequence[int]) -> None:
        self._kept += [self._tree.tokens[place] for place in path]

    def _reading(self, paths: list[list[int]]) -> Reading:
        rows = []
        for path in paths:
            seed = zlib.crc32(f"{self._seed}{path}".encode())
            random = torch.Generator().manual_seed(seed)
            scores = torch.rand(tables().first + 300, generator=random)
            scores[self._favourites] += 2.0
            rows.append(scores)
        logits = torch.stack(rows)
        picks = logits.argmax(dim=-1).tolist()
        return Reading(picks, np.zeros((len(picks), 8)), logits)


@dataclass(frozen=True)
class Answer:
    tokens: list[int]
    reason: FinishReason
    parsed: ParsedAnswer


def answer(
    task: Task,
    seed: int,
    limit: int,
    *,
    speculate: bool = True,
    temperature: float = 0.0,
    end_bin: int | None = None,
    favourites: Sequence[int] = (),
) -> Answer:
    config = GenerationConfig(max_new_tokens=limit, temperature=temperature, seed=seed)
    sampler = Sampler(config, torch.device("cpu"))
    rules = grammar(task, end_bin)
    chooser = Chooser(sampler, rules, tables().first, limit)
    form = answer_form(task, tokenizer().encode, tables())
    last_row = {"stvg": LastRow(tables().first, 2), "elc": LastRow(tables().first, 1)}
    drafter = Drafter(tables(), form, last_row.get(task)) if speculate else None
    stop = StopRule(tokenizer().end_token_ids, limit)
    writer = Writer(Babble(seed, favourites), chooser, drafter, stop)
    writer.read_prompt(torch.zeros(1, 1, 1), sampler)
    reason = writer.write()
    text = tokenizer().decode(writer.tokens)
    return Answer(writer.tokens, reason, parse_answer(text, task))


def times(tokens: list[int]) -> list[int]:
    return [tables().bin(token) for token in tokens if tables().is_time(token)]


@settings(max_examples=40)
@given(
    st.sampled_from(TASKS),
    st.integers(0, 10**6),
    st.booleans(),
    st.sampled_from([0, 1]),
)
def test_everything_is_whole(
    task: Task, seed: int, speculate: bool, temperature: float
) -> None:
    found = answer(task, seed, 400, speculate=speculate, temperature=temperature)
    assert found.parsed.issues == ()
    assert found.reason in ("stop", "length")
    assert (found.parsed.span_bins is not None) == (task in ("stvg", "tvg", "elc"))
    assert bool(found.parsed.boxes_bins) == (task != "tvg")
    for x1, y1, x2, y2 in found.parsed.boxes_bins.values():
        assert x1 < x2
        assert y1 < y2
    if task == "stvg":
        start, end, *rows = times(found.tokens)
        assert rows == sorted(set(rows))
        assert start <= rows[0]
        assert rows[-1] <= end


@settings(max_examples=25)
@given(st.sampled_from(["stvg", "svg", "elc"]), st.integers(0, 10**6), st.data())
def test_the_limit_cuts_between_rows(
    task: Task, seed: int, data: st.DataObject
) -> None:
    limit = data.draw(st.integers(ROOM_FOR_A_ROW, ROOM_FOR_A_ROW + 40))
    favourites = tokenizer().encode("],")  # it would never end
    found = answer(task, seed, limit, favourites=favourites)
    assert found.parsed.issues == ()
    assert len(found.tokens) <= limit
    assert found.parsed.boxes_bins
    assert found.tokens[-1] in tokenizer().encode("].]")
    last, end = max(found.parsed.boxes_bins), times(found.tokens)
    bound = {"stvg": end[1:2], "elc": end[:1], "svg": [99]}[task][0]
    assert found.reason == ("length" if last < bound else "stop")


@pytest.mark.parametrize("task", ["stvg", "svg", "elc"])
def test_where_not_one_row_fits_there_is_none(task: Task) -> None:
    found = answer(task, 3, 20 if task != "svg" else 8)
    assert found.reason == "length"
    assert found.parsed.boxes_bins == {}
    assert not any(tables().is_place(token) for token in found.tokens)


def test_a_span_that_was_asked_for_bounds_the_rows() -> None:
    for seed in range(5):
        found = answer("svg", seed, 900, end_bin=30)
        assert max(found.parsed.boxes_bins) <= 30


@settings(max_examples=15)
@given(st.sampled_from(TASKS), st.integers(0, 10**6))
def test_speculation_changes_nothing(task: Task, seed: int) -> None:
    plain = answer(task, seed, 300, speculate=False)
    assert answer(task, seed, 300) == plain


def test_a_caption_ends() -> None:
    words = tokenizer().encode(" a cyan square moves left")
    found = answer("elc", 1, 900, favourites=words)
    assert found.parsed.span_bins is not None
    assert len(tokenizer().encode(found.parsed.prose)) <= MAX_PROSE_TOKENS + 8


def test_captions_hold_no_control_tokens() -> None:
    favourites = [tokenizer().token_id(t) for t in ("<|im_start|>", "<vid_patch>")]
    found = answer("elc", 2, 400, favourites=favourites)
    assert not set(found.tokens) & set(favourites)


def test_what_is_allowed_stands() -> None:
    """An answer of the right form is the same with the grammar and without."""
    text = (
        "During the span of {<TEMP-004><TEMP-005>}. Object bounding box: "
        "<TEMP-004>:[<WIDTH-042><HEIGHT-026><WIDTH-047><HEIGHT-040>], "
        "<TEMP-005>:[<WIDTH-043><HEIGHT-026><WIDTH-048><HEIGHT-040>]."
    )
    rules = grammar("stvg")
    state, tokens = rules.start(), tokenizer().encode(text)
    for count, token in enumerate(tokens):
        assert token in rules.allowed(state, 500 - count)
        state = rules.follow(state, token, 500 - count)
    ends = rules.allowed(state, 400)
    assert all(token in ends for token in tokenizer().end_token_ids)
    assert tokens[0] not in ends
    assert not state.was_cut


@pytest.mark.parametrize(
    ("before", "wrong"),
    [
        ("During the span of {<TEMP-010>", "<TEMP-009>"),  # ends before it starts
        ("During the span of {<TEMP-010>", "}."),  # no end
        ("During", " span"),  # other words
        (
            SPAN,
            "<TEMP-009>",
        ),
        (
            SPAN,
            "<TEMP-021>",
        ),
        (
            SPAN,
            "<|im_end|>",
        ),
        (
            f"{SPAN}<TEMP-010>:[",
            "<HEIGHT-010>",  # the other axis
        ),
        (
            f"{SPAN}<TEMP-010>:[",
            "<WIDTH-099>",  # no room for the right edge
        ),
        (
            f"{SPAN}<TEMP-010>:[<WIDTH-050><HEIGHT-050>",
            "<WIDTH-050>",  # no width
        ),
        (
            f"{SPAN}<TEMP-010>:[<WIDTH-050><HEIGHT-050><WIDTH-060><HEIGHT-060>], ",
            "<TEMP-010>",  # the same row again
        ),
        (
            f"{SPAN}<TEMP-020>:[<WIDTH-050><HEIGHT-050><WIDTH-060><HEIGHT-060>",
            "],",  # nothing can follow the last row
        ),
    ],
)
def test_what_is_not_allowed(before: str, wrong: str) -> None:
    rules = grammar("stvg")
    state = rules.start()
    for token in tokenizer().encode(before):
        assert token in rules.allowed(state, 500)
        state = rules.follow(state, token, 500)
    assert tokenizer().encode(wrong)[0] not in rules.allowed(state, 500)


def test_every_task_but_describe_has_a_form() -> None:
    for task in get_args(Task):
        form = answer_form(task, tokenizer().encode, tables())
        assert bool(form.opening or form.row) == (task != "describe")
