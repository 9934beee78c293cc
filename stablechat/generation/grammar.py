"""Letting the model write nothing but whole answers of a task's form.

A small automaton says which tokens may come next. The model's own choice stands
wherever it is among them, so a well-behaved answer is the same with it and without.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from stablechat.generation.forms import PROSE, AnswerForm, Encode, Tables
from stablechat.types import NUM_BINS

#: What may stand between a row's time and its box, before the next row, and at the end
#: of the last one. Training wrote the first of each; spacing varies.
_COLONS = (":[", ": [")
_NEXTS = ("], ", "],")
_LASTS = ("].", "]")
#: Longest caption; then its end is written for the model.
MAX_PROSE_TOKENS = 96

_NUMBERS_IN_A_BOX = 4

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Allowed:
    """Which tokens may come next.

    Attributes:
        ids: These.
        prose_below: And any below this id that is not in ``but``; 0 for none.
        but: Tokens that are no prose: those of the chat format and of pictures.
    """

    ids: Collection[int]
    prose_below: int = 0
    but: Collection[int] = ()

    def __contains__(self, token: int) -> bool:
        is_prose = token < self.prose_below and token not in self.but
        return is_prose or token in self.ids


@dataclass(frozen=True)
class _Words:
    """Words that must come, in one of several ways, and the step after each way."""

    ways: tuple[tuple[Tokens, int], ...]


@dataclass(frozen=True)
class _Time:
    """A time: of a row, or of the opening."""

    of_row: bool


@dataclass(frozen=True)
class _Number:
    """One coordinate of a box, from the table that begins with an id."""

    table: int


@dataclass(frozen=True)
class _Prose:
    """Anything, until these words are written."""

    until: Tokens


@dataclass(frozen=True)
class _End:
    """Nothing more."""


_Step = _Words | _Time | _Number | _Prose | _End


@dataclass(frozen=True)
class State:
    """Where an answer is in its form.

    Attributes:
        step: Which step of the form is being written.
        part: What is written of the step's words.
        times: The opening's times so far, in bins.
        row_time: Bin of the row being written, or of the last one; -1 before any.
        box: The box being written, in bins.
        num_prose: Tokens of prose so far.
        was_cut: Whether the answer ends early, for want of room.
    """

    step: int = 0
    part: Tokens = ()
    times: Tokens = ()
    row_time: int = -1
    box: Tokens = ()
    num_prose: int = 0
    was_cut: bool = False


class Grammar:
    """The answers to one question that can be read whole.

    Times of rows increase and lie inside the span; a box has its left edge left of its
    right one and its top above its bottom; where the room runs out, the answer ends
    with a whole row.

    Args:
        form: How the answer looks; it must not be empty.
        tables: Where the coordinates are in the vocabulary.
        encode: Text to tokens.
        end_token_ids: Tokens that end an answer.
        control_token_ids: Tokens that no prose has.
        end_bin: The last frame of an answer whose question names it.
    """

    def __init__(
        self,
        form: AnswerForm,
        tables: Tables,
        encode: Encode,
        end_token_ids: Collection[int],
        control_token_ids: Collection[int],
        end_bin: int | None = None,
    ) -> None:
        self._tables = tables
        self._end_token_ids = end_token_ids
        self._control_token_ids = control_token_ids
        self._asked_end = end_bin
        self._steps = _steps(form, tables, encode)
        row = [step for step in self._steps if isinstance(step, _Time) and step.of_row]
        self._first_row = self._steps.index(row[0]) if row else len(self._steps) - 1
        lasts = [tuple(encode(text)) for text in _LASTS]
        colons = [len(encode(text)) for text in _COLONS]
        self._row_room = 1 + max(colons) + _NUMBERS_IN_A_BOX + max(map(len, lasts))

    def start(self) -> State:
        """Before the first token."""
        return State()

    def allowed(self, state: State, room: int) -> Allowed:
        """Which tokens may come next.

        Args:
            state: Where the answer is.
            room: Tokens that may still be written.
        """
        step = self._step(state, room)
        if isinstance(step, _Time):
            return Allowed(self._times(state, step))
        if isinstance(step, _Number):
            return Allowed(self._numbers(state, step))
        if isinstance(step, _Prose):
            return self._prose(state, step, room)
        if isinstance(step, _End):
            return Allowed(self._end_token_ids)
        following = [
            self.allowed(replace(state, step=after, part=()), room).ids
            for way, after in self._ways(state, step, room)
            if way == state.part
        ]
        words = (way[len(state.part)] for way in self._longer(state, step, room))
        return Allowed({*words, *(token for ids in following for token in ids)})

    def follow(self, state: State, token: int, room: int) -> State:
        """Where the answer is after a token that was allowed.

        Args:
            state: Where it was.
            token: The token.
            room: Tokens that could still be written, this one included.
        """
        step = self._step(state, room)
        if isinstance(step, _Time):
            return self._after_time(state, step, self._tables.bin(token))
        if isinstance(step, _Number):
            box = (*state.box, self._tables.bin(token))
            return replace(state, step=state.step + 1, box=box)
        if isinstance(step, _Prose):
            return self._after_prose(state, step, token)
        if isinstance(step, _End):
            return replace(state, step=len(self._steps) - 1, was_cut=self._cuts(state))
        return self._after_word(state, step, token, room)

    def _step(self, state: State, room: int) -> _Step:
        """The step being written; the end where no row fits in any more."""
        at_first_row = state.step == self._first_row and state.row_time < 0
        if at_first_row and self._has_rows and room < self._row_room:
            return _End()
        return self._steps[state.step]

    @property
    def _has_rows(self) -> bool:
        return self._first_row < len(self._steps) - 1

    def _cuts(self, state: State) -> bool:
        return state.was_cut or (self._has_rows and state.step == self._first_row)

    # --- coordinates --------------------------------------------------------------

    def _end(self, state: State) -> int:
        """Bin of the last row that there can be."""
        if state.times:
            return state.times[-1]
        return NUM_BINS - 1 if self._asked_end is None else self._asked_end

    def _times(self, state: State, step: _Time) -> range:
        low, high = (state.times[-1] if state.times else 0), NUM_BINS - 1
        if step.of_row:
            start = state.times[0] if len(state.times) > 1 else 0
            low, high = max(state.row_time + 1, start), self._end(state)
        return range(self._tables.time + low, self._tables.time + high + 1)

    def _numbers(self, state: State, step: _Number) -> range:
        place = len(state.box)
        if place < 2:  # room for the other edge must be left
            return range(step.table, step.table + NUM_BINS - 1)
        return range(step.table + state.box[place - 2] + 1, step.table + NUM_BINS)

    def _after_time(self, state: State, step: _Time, value: int) -> State:
        if step.of_row:
            return replace(state, step=state.step + 1, row_time=value, box=())
        return replace(state, step=state.step + 1, times=(*state.times, value))

    # --- words --------------------------------------------------------------------

    def _ways(
        self, state: State, step: _Words, room: int
    ) -> Iterator[tuple[Tokens, int]]:
        """The ways to go on that are open."""
        for way, after in step.ways:
            leads_to_row = after == self._first_row and state.row_time >= 0
            if not leads_to_row or self._can_have_row(state, len(way), room):
                yield way, after

    def _can_have_row(self, state: State, way_length: int, room: int) -> bool:
        needed = way_length - len(state.part) + self._row_room
        return state.row_time < self._end(state) and room >= needed

    def _longer(self, state: State, step: _Words, room: int) -> Iterator[Tokens]:
        count = len(state.part)
        for way, _ in self._ways(state, step, room):
            if len(way) > count and way[:count] == state.part:
                yield way

    def _after_word(self, state: State, step: _Words, token: int, room: int) -> State:
        part = (*state.part, token)
        fits = [(way, after) for way, after in step.ways if way[: len(part)] == part]
        if not fits:  # the words were complete before it: it belongs to what follows
            after = next(after for way, after in step.ways if way == state.part)
            return self.follow(self._enter(after, state, step, room), token, room)
        if len(fits) == 1 and fits[0][0] == part:
            return self._enter(fits[0][1], state, step, room)
        return replace(state, part=part)

    def _enter(self, after: int, state: State, step: _Words, room: int) -> State:
        """Go to the step after some words."""
        is_open = any(to == self._first_row for _, to in self._ways(state, step, room))
        ends_early = after == len(self._steps) - 1 and not is_open
        lacks_room = ends_early and self._has_rows and state.row_time < self._end(state)
        was_cut = state.was_cut or lacks_room
        return replace(state, step=after, part=(), was_cut=was_cut)

    # --- prose --------------------------------------------------------------------

    def _prose(self, state: State, step: _Prose, room: int) -> Allowed:
        left = len(step.until) - len(state.part)
        if state.num_prose >= MAX_PROSE_TOKENS or room <= left + self._row_room:
            return Allowed((step.until[len(state.part)],))
        return Allowed((), self._tables.first, self._control_token_ids)

    def _after_prose(self, state: State, step: _Prose, token: int) -> State:
        written = (*state.part, token)
        fits = (written[i:] for i in range(len(written) + 1))
        part = next(end for end in fits if end == step.until[: len(end)])
        if part == step.until:
            return replace(state, step=state.step + 1, part=())
        return replace(state, part=part, num_prose=state.num_prose + 1)


def _steps(form: AnswerForm, tables: Tables, encode: Encode) -> tuple[_Step, ...]:
    """The form as steps, its rows as a loop, its end last."""
    steps: list[_Step] = []
    opening = list(form.opening)
    while opening:
        slot = opening[0]
        if slot == PROSE:
            words = _leading_words(opening[1:], tables)
            steps.append(_Prose(words))
            opening = opening[1 + len(words) :]
        elif slot < tables.first:
            words = _leading_words(opening, tables)
            steps.append(_Words(((words, len(steps) + 1),)))
            opening = opening[len(words) :]
        else:
            is_time = slot == tables.time
            steps.append(_Time(of_row=False) if is_time else _Number(slot))
            opening = opening[1:]
    if form.row:
        steps.extend(_row_steps(len(steps), tables, encode))
    return (*steps, _End())


def _leading_words(slots: Sequence[int], tables: Tables) -> Tokens:
    count = next(
        (i for i, s in enumerate(slots) if s >= tables.first or s == PROSE), len(slots)
    )
    return tuple(slots[:count])


def _row_steps(first: int, tables: Tables, encode: Encode) -> list[_Step]:
    end = first + 3 + _NUMBERS_IN_A_BOX
    colons = tuple((tuple(encode(text)), first + 2) for text in _COLONS)
    nexts = tuple((tuple(encode(text)), first) for text in _NEXTS)
    lasts = tuple((tuple(encode(text)), end) for text in _LASTS)
    axes = (tables.width, tables.height, tables.width, tables.height)
    numbers = [_Number(table) for table in axes]
    return [_Time(of_row=True), _Words(colons), *numbers, _Words((*nexts, *lasts))]
