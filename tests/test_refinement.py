"""Positions finer than a bin: exact cases, then any text a model could write."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from answer_texts import answer, box, t, untidy_answers, written
from hypothesis import given
from hypothesis import strategies as st

from stablechat.parser import parse_answer
from stablechat.refinement import coordinate_scores, refined_positions
from stablechat.types import NUM_BINS, Generation, Task

A, B = (10, 20, 30, 40), (11, 21, 31, 41)
TASKS: tuple[Task, ...] = get_args(Task)


def test_a_position_lies_between_its_two_bins() -> None:
    offsets = [0.25, -0.25, *[0.0], 0.1, 0.2, 0.3, 0.4, *[0.0], -0.1, -0.2, -0.3, -0.4]
    said = written(answer((4, 5), {4: A, 5: B}), offsets, sure=0.8)
    parsed = parse_answer(said.text, "stvg")
    found = refined_positions(parsed, coordinate_scores(parsed.tokens, said))
    assert found.span == pytest.approx((4.25, 4.75))
    np.testing.assert_allclose(found.boxes[4], [10.1, 20.2, 30.3, 40.4])
    np.testing.assert_allclose(found.boxes[5], [10.9, 20.8, 30.7, 40.6])


def test_far_bins_do_not_count() -> None:
    said = written(box(*A), 0.0)
    scores = said.neighbour_probabilities
    assert scores is not None
    scores[1] = [0.3, 0, 0, 0.5, 0.2, 0, 0]  # three to the left of 10: another thing
    parsed = parse_answer(said.text, "rec")
    found = refined_positions(parsed, coordinate_scores(parsed.tokens, said))
    np.testing.assert_allclose(found.boxes[0], [10 + 0.2 / 0.7, 20, 30, 40])


def test_the_mean_reaches_no_further_than_the_next_bin() -> None:
    said = written(box(*A), 0.0)
    scores = said.neighbour_probabilities
    assert scores is not None
    scores[1] = [0, 0, 0, 0.01, 0.1, 0.89, 0]  # a sampled bin beside the peak
    parsed = parse_answer(said.text, "rec")
    found = refined_positions(parsed, coordinate_scores(parsed.tokens, said))
    assert found.boxes[0][0] == 11


def test_positions_stay_in_the_picture_and_in_order() -> None:
    said = written(box(0, 99, 0, 99), [-0.4, 0.4, -0.3, 0.2])
    parsed = parse_answer(said.text, "rec")
    found = refined_positions(parsed, coordinate_scores(parsed.tokens, said))
    np.testing.assert_allclose(found.boxes[0], [0, 99, 0, 99])
    said = written(box(50, 50, 50, 51), [0.4, 0.9, -0.4, -0.9])
    parsed = parse_answer(said.text, "rec")
    found = refined_positions(parsed, coordinate_scores(parsed.tokens, said))
    np.testing.assert_allclose(found.boxes[0], [49.6, 50.1, 50.4, 50.9])


def test_exchanged_corners_and_ends_keep_their_own_scores() -> None:
    pieces = ["{", t(9), t(4), "} ", t(4), ":", *box(30, 40, 10, 20)]
    said = written(pieces, [0.1, 0.2, 0, 0.3, 0.4, -0.3, -0.4])
    parsed = parse_answer(said.text, "stvg")
    found = refined_positions(parsed, coordinate_scores(parsed.tokens, said))
    assert found.span == pytest.approx((4.2, 9.1))
    np.testing.assert_allclose(found.boxes[4], [9.7, 19.6, 30.3, 40.4])


def test_the_last_of_two_boxes_is_the_one_refined() -> None:
    pieces = [t(4), ":", *box(*A), ", ", t(4), ":", *box(*B)]
    said = written(pieces, [0, *[0.4] * 4, 0, *[0.1] * 4])
    parsed = parse_answer(said.text, "svg")
    found = refined_positions(parsed, coordinate_scores(parsed.tokens, said))
    np.testing.assert_allclose(found.boxes[4], np.array(B) + 0.1)


def test_a_span_of_one_frame_stays_one() -> None:
    said = written(["{", t(4), t(4), "}"], [-0.3, 0.4])
    parsed = parse_answer(said.text, "tvg")
    scores = coordinate_scores(parsed.tokens, said)
    assert refined_positions(parsed, scores).span == (4, 4)


def test_an_event_that_ends_somewhere() -> None:
    said = written(
        ["Ends in ", t(8), ", a dog. ", t(4), ":", *box(*A)], [0.2, 0.3, *[0.1] * 4]
    )
    parsed = parse_answer(said.text, "elc")
    found = refined_positions(parsed, coordinate_scores(parsed.tokens, said))
    assert found.span == pytest.approx((4.0, 8.2))  # a row's time is its frame's


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda g: replace(g, neighbour_probabilities=None), id="unknown"),
        pytest.param(
            lambda g: replace(g, token_ids=(), neighbour_probabilities=None), id="saved"
        ),
        pytest.param(
            lambda g: replace(
                g,
                token_ids=g.token_ids[:-9],
                neighbour_probabilities=g.neighbour_probabilities[:-9],
            ),
            id="fewer ids than words",
        ),
        pytest.param(
            lambda g: replace(g, token_ids=(g.token_ids[0], *g.token_ids[:0:-1])),
            id="other ids",
        ),
    ],
)
def test_plain_bins_where_text_and_tokens_do_not_match(change: object) -> None:
    said: Generation = change(written(answer((4, 5), {4: A, 5: B}), 0.3))  # type: ignore[operator]
    parsed = parse_answer(said.text, "stvg")
    assert coordinate_scores(parsed.tokens, said) is None
    found = refined_positions(parsed, None)
    assert found.span == (4, 5)
    np.testing.assert_array_equal(found.boxes[5], B)


def test_words_that_look_like_a_token_leave_plain_bins() -> None:
    said = written(["<TEMP-004>", ":", *box(*A)], 0.3)
    parsed = parse_answer(said.text, "svg")
    assert dict(parsed.boxes_bins) == {4: A}
    assert coordinate_scores(parsed.tokens, said) is None


@given(untidy_answers, st.sampled_from(TASKS), st.data())
def test_any_answer_is_refined_by_its_own_tokens(
    pieces: list[object], task: Task, data: st.DataObject
) -> None:
    coordinates = [piece for piece in pieces if not isinstance(piece, str)]
    offsets = data.draw(
        st.lists(
            st.floats(-0.99, 0.99),
            min_size=len(coordinates),
            max_size=len(coordinates),
        )
    )
    said = written(pieces, offsets)  # type: ignore[arg-type]
    parsed = parse_answer(said.text, task)
    scores = coordinate_scores(parsed.tokens, said)
    found = refined_positions(parsed, scores)
    assert found.boxes.keys() == parsed.boxes_bins.keys()
    if scores is None:
        return
    exact = np.array([value for _, value in coordinates], float) + offsets  # type: ignore[misc]
    exact = exact.clip(0, NUM_BINS - 1)
    for frame, places in parsed.tokens.boxes.items():
        x1, y1, x2, y2 = exact[list(places)]
        assert [coordinates[p][0] for p in places] == [  # type: ignore[index]
            "WIDTH", "HEIGHT", "WIDTH", "HEIGHT",
        ]  # fmt: skip
        assert tuple(coordinates[p][1] for p in places) == parsed.boxes_bins[frame]  # type: ignore[index]
        np.testing.assert_allclose(
            found.boxes[frame],
            [min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)],
            atol=1e-9,
        )
    if parsed.span_bins is not None:
        for place, value in zip(parsed.tokens.span, parsed.span_bins, strict=True):
            if place is not None:
                assert coordinates[place] == ("TEMP", value)
    if found.span is not None and parsed.span_bins is not None:
        assert 0 <= found.span[0] <= found.span[1] <= NUM_BINS - 1
        assert np.abs(np.subtract(found.span, parsed.span_bins)).max() <= 1


@given(untidy_answers, st.integers(0, 400))
def test_a_text_that_was_cut_is_never_matched_wrongly(
    pieces: list[object], length: int
) -> None:
    said = written(pieces, 0.25)  # type: ignore[arg-type]
    parsed = parse_answer(said.text[:length], "stvg")
    scores = coordinate_scores(parsed.tokens, said)
    whole = parse_answer(said.text, "stvg").tokens.written
    assert scores is None or parsed.tokens.written == whole
