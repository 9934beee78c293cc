"""Positions finer than a bin, from the probabilities of the bins around a written one.

A coordinate between two bins is taught to the model as both of them, each the likelier
the nearer it is (two-hot labels). So the position that it means is the mean of the bins
around the written one, weighted with their probabilities::

    written 41, p(40) = 0.2, p(41) = 0.6, p(42) = 0.2 + the rest far away -> 41.0
    written 41, p(40) = 0.0, p(41) = 0.6, p(42) = 0.4                     -> 41.4

Numbers are matched to tokens by counting: the nth coordinate token in the text is the
nth coordinate among the ids. All of them are compared, and where one differs (a text
without its tokens, words that look like a token) the plain bins stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stablechat.types import (
    NEIGHBOUR_REACH,
    NUM_BINS,
    CoordinateTokens,
    FloatArray,
    Generation,
    ParsedAnswer,
)

#: Bins on either side of the written one that the mean is taken over; two are as good
#: as three and better than one (docs/decoding.md).
MEAN_REACH = 2
# A position stays between the neighbours of the written bin: a sampled bin may lie
# beside the model's peak, but a row's box is known only up to the next frame.
_MOST_OFFSET = 1.0

# The three tables follow each other in this order.
_FIRST_OF_AXIS = {"t": 0, "h": NUM_BINS, "w": 2 * NUM_BINS}


# Compared by identity: arrays have no single truth.
@dataclass(frozen=True, eq=False)
class Positions:
    """An answer's numbers in bins, with fractions where the scores are known.

    Attributes:
        span: ``(start, end)``, start <= end, or None.
        boxes: ``{frame bin: float64 (4,)}``: x1 <= x2, y1 <= y2, in 0..99.
    """

    span: tuple[float, float] | None
    boxes: dict[int, FloatArray]


def coordinate_scores(
    tokens: CoordinateTokens, generation: Generation
) -> FloatArray | None:
    """The probabilities around each coordinate of a text.

    Args:
        tokens: The coordinate tokens that the parser found in the text.
        generation: What the text is part of.

    Returns:
        float64 ``(C, 2 * NEIGHBOUR_REACH + 1)``, one row for each of
        ``tokens.written``; None where text and ids do not match or nothing is known.
    """
    scores = generation.neighbour_probabilities
    if scores is None or not tokens.written:
        return None
    # A word has no bins around it.
    places = np.flatnonzero(scores[:, NEIGHBOUR_REACH] > 0)
    if len(places) != len(tokens.written):
        return None
    told = [_FIRST_OF_AXIS[axis] + value for axis, value in tokens.written]
    firsts = np.array(generation.token_ids)[places] - np.array(told)
    return scores[places] if (firsts == firsts[0]).all() else None


def refined_positions(
    parsed: ParsedAnswer, scores: FloatArray | None, reach: int = MEAN_REACH
) -> Positions:
    """An answer's numbers, as finely as they are known.

    Args:
        parsed: What the parser read.
        scores: What :func:`coordinate_scores` returned; None leaves the plain bins.
        reach: Bins on either side that the mean is taken over.
    """
    boxes = {time: np.array(box, np.float64) for time, box in parsed.boxes_bins.items()}
    bins = parsed.span_bins
    span = None if bins is None else (float(bins[0]), float(bins[1]))
    if scores is None:
        return Positions(span, boxes)
    exact = _means(parsed.tokens, scores, reach)
    for time, places in parsed.tokens.boxes.items():
        boxes[time] = _in_order(exact[list(places)])
    return Positions(_refined_span(span, parsed.tokens, exact), boxes)


def _means(tokens: CoordinateTokens, scores: FloatArray, reach: int) -> FloatArray:
    """Means around every written coordinate, float64 ``(C,)``."""
    written = np.array([value for _, value in tokens.written], np.float64)
    around = np.arange(-reach, reach + 1, dtype=np.float64)
    middle = NEIGHBOUR_REACH
    weights = scores[:, middle - reach : middle + reach + 1]
    offsets = np.clip(
        weights @ around / weights.sum(axis=1), -_MOST_OFFSET, _MOST_OFFSET
    )
    return np.asarray(np.clip(written + offsets, 0, NUM_BINS - 1), np.float64)


def _in_order(box: FloatArray) -> FloatArray:
    """Corners of a thin box may pass each other."""
    low, high = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
    return np.concatenate([low, high])


def _refined_span(
    span: tuple[float, float] | None, tokens: CoordinateTokens, exact: FloatArray
) -> tuple[float, float] | None:
    # A span of one frame stays one: where it ends is not what was asked.
    if span is None or span[0] == span[1]:
        return span
    start, end = (
        plain if place is None else float(exact[place])
        for plain, place in zip(span, tokens.span, strict=True)
    )
    return min(start, end), max(start, end)
