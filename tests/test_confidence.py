"""How sure an answer is: its order, its range, and the calibration's file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answer_texts import answer, box, t, untidy_answers, written
from hypothesis import given
from hypothesis import strategies as st

from stablechat.confidence import (
    CALIBRATION_FILE,
    EVIDENCE,
    Calibration,
    Confidence,
    Curve,
    gather_evidence,
    load_calibration,
    measure_confidence,
)
from stablechat.errors import CheckpointError
from stablechat.hub import DEMO_FOLDER
from stablechat.parser import parse_answer
from stablechat.refinement import coordinate_scores, refined_positions
from stablechat.types import Generation, Task

A, B = (10, 20, 30, 40), (11, 21, 31, 41)
WHOLE = answer((4, 5), {4: A, 5: B})
CALIBRATION = Calibration(
    {level: Curve(1.0, (0.5,) * len(names)) for level, names in EVIDENCE.items()}
)


def measure(
    said: Generation, task: Task = "stvg", calibration: Calibration | None = None
) -> Confidence:
    parsed = parse_answer(said.text, task)
    scores = coordinate_scores(parsed.tokens, said)
    positions = refined_positions(parsed, scores)
    return measure_confidence(parsed, positions, scores, calibration)


def test_nothing_is_known_without_scores() -> None:
    said = written(WHOLE)
    plain = Generation(said.text, said.token_ids, "stop")
    assert measure(plain) == Confidence()
    assert measure(written(["no idea"])) == Confidence()


def test_without_a_calibration_it_is_the_mass() -> None:
    found = measure(written(WHOLE, sure=0.25))
    assert found.answer == pytest.approx(0.25)
    assert found.span == pytest.approx(0.25)
    assert found.boxes == pytest.approx({4: 0.25, 5: 0.25})


def test_an_answer_of_one_kind_is_as_sure_as_that() -> None:
    boxes = measure(written(box(*A), sure=0.5), "rec", CALIBRATION)
    assert boxes.answer == boxes.boxes[0] and boxes.span is None
    span = measure(written(["{", t(4), t(9), "}"], sure=0.5), "tvg", CALIBRATION)
    assert span.answer == span.span is not None and span.boxes == {}
    # The start of this span is a row's time, in which there is no doubt.
    ends = [t(4), ":", *box(*A), ", Ends in ", t(8)]
    assert measure(written(ends, sure=0.5), "elc", CALIBRATION).span is not None


@pytest.mark.parametrize("calibration", [None, CALIBRATION])
def test_a_surer_model_has_more_confidence(calibration: Calibration | None) -> None:
    found = [
        measure(written(WHOLE, sure=sure), calibration=calibration)
        for sure in (0.2, 0.5, 0.9)
    ]
    answers = [one.answer for one in found]
    boxes = [one.boxes[4] for one in found]
    assert answers == sorted(set(answers)) and boxes == sorted(set(boxes))  # type: ignore[type-var]


def test_an_answer_that_skips_frames_has_less_confidence() -> None:
    whole = answer((4, 7), dict.fromkeys(range(4, 8), A))
    half = answer((4, 7), {4: A, 7: A, 9: A})  # one of them is outside
    assert measure(written(half)).answer == pytest.approx(0.5)
    sure = [measure(written(p), calibration=CALIBRATION).answer for p in (half, whole)]
    assert sure[0] < sure[1]  # type: ignore[operator]
    said = written(answer((4, 5), {9: A}))  # no box but one that is left out
    assert said.neighbour_probabilities is not None
    said.neighbour_probabilities[1] *= 0.25
    outside = measure(said)
    assert (outside.answer, outside.span) == (0, pytest.approx(0.5))


def test_a_blurred_box_has_less_confidence_and_a_fraction_no_less() -> None:
    sharp, between, blurred = (written(box(*A), o) for o in (0.0, 0.5, 0.0))
    assert blurred.neighbour_probabilities is not None
    blurred.neighbour_probabilities[1] = [0, 0.1, 0.2, 0.4, 0.2, 0.1, 0]
    sure = [
        measure(said, "rec", CALIBRATION).answer for said in (sharp, between, blurred)
    ]
    assert sure[0] == pytest.approx(sure[1])
    assert sure[2] < sure[0]  # type: ignore[operator]


def test_the_same_blur_matters_more_to_a_small_box() -> None:
    found = []
    for corners in ((10, 20, 15, 25), (10, 20, 80, 90)):
        said = written(box(*corners))
        assert said.neighbour_probabilities is not None
        said.neighbour_probabilities[1] = [0, 0.1, 0.2, 0.4, 0.2, 0.1, 0]
        found.append(measure(said, "rec", CALIBRATION).answer)
    assert found[0] < found[1]


@given(
    untidy_answers,
    st.sampled_from(["stvg", "svg", "elc", "tvg", "rec"]),
    st.floats(0.001, 1),
    st.floats(-0.9, 0.9),
    st.sampled_from([None, CALIBRATION]),
)
def test_confidence_is_a_share(
    pieces: list[Any],
    task: Task,
    sure: float,
    offset: float,
    calibration: Calibration | None,
) -> None:
    said = written(pieces, offset, sure)
    parsed = parse_answer(said.text, task)
    found = measure(said, task, calibration)
    values = [found.answer, found.span, *found.boxes.values()]
    assert all(0 <= value <= 1 for value in values if value is not None)
    assert found.boxes.keys() in (set(), parsed.boxes_bins.keys())


def test_evidence_has_the_names_that_are_told() -> None:
    said = written(WHOLE)
    parsed = parse_answer(said.text, "stvg")
    scores = coordinate_scores(parsed.tokens, said)
    assert scores is not None
    found = gather_evidence(parsed, refined_positions(parsed, scores), scores)
    assert found.boxes.shape == (2, len(EVIDENCE["box"]))
    assert found.span is not None and found.span.shape == (len(EVIDENCE["span"]),)
    assert found.answer is not None and found.answer.shape == (len(EVIDENCE["answer"]),)
    np.testing.assert_allclose(found.boxes[:, 1:], 0, atol=1e-12)  # log 1


# --- the file -----------------------------------------------------------------------


def content() -> dict[str, Any]:
    return {
        level: {"intercept": 0.5, "weights": dict.fromkeys(names, 1.0)}
        for level, names in EVIDENCE.items()
    }


def test_a_model_without_the_file_is_not_calibrated(tmp_path: Path) -> None:
    assert load_calibration(tmp_path) is None


def test_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / CALIBRATION_FILE).write_text(json.dumps(content()))
    found = load_calibration(tmp_path)
    assert found is not None
    assert found.curves["span"] == Curve(0.5, (1.0, 1.0))


def test_the_demo_model_is_calibrated() -> None:
    found = load_calibration(DEMO_FOLDER)
    assert found is not None
    for level, names in EVIDENCE.items():
        assert len(found.curves[level].weights) == len(names)


def _with(path: str, value: Any) -> str:
    data = content()
    *parents, last = path.split(".")
    place = data
    for key in parents:
        place = place[key]
    place[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "3", "{}", "not json", '"' + "a" * (1 << 21) + '"', "[" * 100_000),
        _with("box", 3),
        _with("box.weights", {}),
        _with("box.weights.mass", "much"),
        _with("box.weights.mass", -0.1),
        _with("box.weights.mass", 10**400),
        _with("span.intercept", None),
        _with("span.intercept", float("nan")),
    ],
)
def test_a_damaged_file_is_one_plain_line(tmp_path: Path, text: str) -> None:
    (tmp_path / CALIBRATION_FILE).write_text(text)
    with pytest.raises(CheckpointError, match=CALIBRATION_FILE) as caught:
        load_calibration(tmp_path)
    assert "\n" not in str(caught.value)
