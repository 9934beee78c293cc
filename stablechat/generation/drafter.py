"""Guessing what an answer says next, whole rows ahead.

Answers are tables. What stands between the coordinates is nearly certain, the next
row's time is one more, and consecutive boxes are close. So the next tokens are guessed
from the rows before, the likeliest paths first, and the model checks all of them in
one pass. A guess never changes an answer: a wrong one only costs time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from itertools import count, islice
from typing import NamedTuple

from stablechat.generation.forms import PROSE, AnswerForm, Tables
from stablechat.generation.motion import Floats, Motion, as_floats, near, surprise
from stablechat.generation.tree import DraftTree
from stablechat.last_row import LastRow
from stablechat.types import NUM_BINS

_NUMBERS_IN_A_BOX = 4
#: Probability that the form's next word, or the row's next time, is right.
_CERTAIN = 0.98
#: Paths less likely than this are not worth a place in the tree.
_SMALLEST_PROBABILITY = 0.01


class _Place(NamedTuple):
    """Where in its form an answer is, or a path of guesses.

    Attributes:
        slot: Place of the next slot in the script (opening, then rows over and over).
        time: Bin of the current row, or the span's start before the first.
        before: Box of the row before, in bins; None before the first row.
        box: The current row's coordinates so far, in bins.
        surprises: What each of those was off by.
    """

    slot: int = 0
    time: int | None = None
    before: Floats | None = None
    box: Floats = ()
    surprises: Floats = ()


class _Guess(NamedTuple):
    """A token that may come next, with the place in the form that it would fill."""

    token: int
    parent: int
    probability: float  # of the whole path to it
    place: _Place | None


class Drafter:
    """Guesses the continuation of one answer.

    Args:
        tables: Where the coordinates are in the vocabulary.
        form: How the answer should look; an answer that looks otherwise is followed as
            soon as it has written a row.
        last_row: Knows the answer's last row, beyond which nothing is guessed.
    """

    def __init__(
        self, tables: Tables, form: AnswerForm, last_row: LastRow | None = None
    ) -> None:
        self._tables = tables
        self._opening = form.opening
        self._row = form.row
        self._last_row = last_row
        self._motion = Motion()
        self._tokens: list[int] = []
        self._row_start = 0
        self._end: int | None = None
        self._place: _Place | None = _Place()  # None: not in the form

    def see(self, token: int) -> None:
        """Take one token of the answer into account."""
        self._tokens.append(token)
        if self._place is not None:
            self._place = self._follow(self._place, token)
        if self._tables.is_time(token):
            self._begin_row(token)
        elif self._tables.is_place(token):
            self._read_box()

    def tree(self, costs: Mapping[int, float], *, branches: bool = True) -> DraftTree:
        """Guess what comes next.

        Args:
            costs: Size of a tree -> how long the model takes to check one, in any
                unit. The size that promises the most tokens for its time is chosen.
            branches: Whether there may be several guesses for one place.

        Returns:
            A tree that begins with the answer's last token.
        """
        tokens, parents, promised = [self._tokens[-1]], [-1], [1.0]
        for guess in islice(self._paths(branches), max(costs) - 1):
            tokens.append(guess.token)
            parents.append(guess.parent)
            promised.append(promised[-1] + guess.probability)
            if len(tokens) in costs and not _may_win(promised, costs):
                break
        size, _ = _best_size(promised, costs)
        return DraftTree(tokens[:size], parents[:size])

    def _paths(self, branches: bool) -> Iterator[_Guess]:
        """Guesses, the likeliest path first.

        The probability of a guess is never more than its parent's, so any beginning
        of the sequence is the best tree of its size.
        """
        self._end = self._last_row.end(self._tokens) if self._last_row else None
        order = count()
        heap: list[tuple[float, int, _Guess]] = []

        def push(place: _Place | None, parent: int, probability: float) -> None:
            guesses = [] if place is None else self._guesses(place)
            for token, share in guesses if branches else guesses[:1]:
                guess = _Guess(token, parent, probability * share, place)
                heapq.heappush(heap, (-guess.probability, next(order), guess))

        push(self._place, 0, 1.0)
        for number in count(1):
            if not heap or heap[0][2].probability < _SMALLEST_PROBABILITY:
                return
            guess = heapq.heappop(heap)[2]
            yield guess
            if guess.place is not None:
                after = self._follow(guess.place, guess.token)
                push(after, number, guess.probability)

    def _slot(self, place: _Place) -> int | None:
        if place.slot < len(self._opening):
            return self._opening[place.slot]
        if not self._row:
            return None
        return self._row[(place.slot - len(self._opening)) % len(self._row)]

    def _guesses(self, place: _Place) -> list[tuple[int, float]]:
        slot = self._slot(place)
        if slot is None or slot == PROSE:
            return []
        if slot < self._tables.first:
            return [(slot, _CERTAIN)]
        if slot == self._tables.time:
            return self._next_time(place)
        if place.before is None:
            return []
        expected = self._motion.expected(place.before, place.surprises)
        guesses = self._motion.guesses(expected, len(place.box))
        return [(slot + value, probability) for value, probability in guesses]

    def _next_time(self, place: _Place) -> list[tuple[int, float]]:
        if place.slot < len(self._opening) or place.time is None:
            return []
        first_row = place.before is None
        time = place.time if first_row else place.time + 1
        if time >= NUM_BINS or self._is_over(place):
            return []
        return [(self._tables.time + time, _CERTAIN)]

    def _is_over(self, place: _Place) -> bool:
        has_row = place.before is not None
        return has_row and self._end is not None and (place.time or 0) >= self._end

    def _follow(self, place: _Place, token: int) -> _Place | None:
        """The place after a token, None where the form has another."""
        slot = self._slot(place)
        if slot is None or slot != self._tables.slot(token):
            return None
        after = place._replace(slot=place.slot + 1)
        if slot == self._tables.time:
            return self._after_time(after, self._tables.bin(token))
        if slot > self._tables.time:
            return self._after_number(after, self._tables.bin(token))
        return after

    def _after_time(self, after: _Place, time: int) -> _Place:
        is_end = after.slot <= len(self._opening) and after.time is not None
        return _Place(after.slot, after.time if is_end else time, after.before)

    def _after_number(self, after: _Place, value: int) -> _Place:
        if after.before is None or len(after.box) >= len(after.before):
            position, off = float(value), 0.0
        else:
            expected = self._motion.expected(after.before, after.surprises)
            position, off = near(value, expected), surprise(value, expected)
        box = (*after.box, position)
        if len(box) < _NUMBERS_IN_A_BOX:
            return after._replace(box=box, surprises=(*after.surprises, off))
        return _Place(after.slot, after.time, box)

    def _begin_row(self, token: int) -> None:
        """A time was written: it may begin a row, and shows how the last one went."""
        row = self._tokens[self._row_start : -1]
        slots = tuple(self._tables.slot(t) for t in row)
        if self._is_row(slots):
            self._row = slots
        self._row_start = len(self._tokens) - 1
        if self._row and self._place is None:
            time, before = self._tables.bin(token), self._motion.latest
            self._place = _Place(len(self._opening) + 1, time, before)

    def _is_row(self, slots: tuple[int, ...]) -> bool:
        places = [slot for slot in slots[1:] if slot > self._tables.time]
        starts = bool(slots) and slots[0] == self._tables.time
        return starts and len(places) == _NUMBERS_IN_A_BOX

    def _read_box(self) -> None:
        """A number was written: with the fourth the row's box is known."""
        row = self._tokens[self._row_start :]
        values = [self._tables.bin(t) for t in row if self._tables.is_place(t)]
        if len(values) != _NUMBERS_IN_A_BOX or not self._tables.is_time(row[0]):
            return
        self._motion.add(as_floats(values))
        if self._place is not None:
            self._place = self._place._replace(before=self._motion.latest)


def _may_win(promised: list[float], costs: Mapping[int, float]) -> bool:
    """Whether a larger tree could promise more for its time than any so far.

    No later guess is likelier than the last one.
    """
    _, best_rate = _best_size(promised, costs)
    size, share = len(promised), promised[-1] - promised[-2]
    return any(
        promised[-1] + (larger - size) * share > best_rate * costs[larger]
        for larger in costs
        if larger > size
    )


def _best_size(promised: list[float], costs: Mapping[int, float]) -> tuple[int, float]:
    """The size of a tree that promises the most tokens for its time, and how many.

    Args:
        promised: Expected tokens of trees of 1, 2, ... nodes.
        costs: Size -> time; a tree costs what the next larger size does.
    """
    best, best_rate = 1, 0.0
    for size in sorted(costs):
        fits = min(size, len(promised))
        rate = promised[fits - 1] / costs[size]
        if rate > best_rate:
            best, best_rate = fits, rate
        if fits < size:
            break
    return best, best_rate
