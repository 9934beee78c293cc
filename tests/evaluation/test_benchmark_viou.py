"""m_vIoU of HC-STVG and VidSTG, against the definitions spelled out frame by frame."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.benchmark_viou import (
    hcstvg_overlap,
    vidstg_frames,
    vidstg_overlap,
)
from evaluation.metrics import Box
from evaluation.predictions import Prediction
from evaluation.protocols import score
from evaluation.rows import ResultRow, check_row

WHOLE: Box = (0.0, 0.0, 10.0, 10.0)
HALF: Box = (0.0, 0.0, 10.0, 5.0)
LAST = 99


def truth(start: int, end: int, fps: float | None = None, **more: Any) -> ResultRow:
    """A row whose event has the same box on all its frames."""
    return ResultRow(
        "",
        "",
        split=(0, LAST),
        true_frames=(start, end),
        true_track=dict.fromkeys(range(start, end + 1), WHOLE),
        fps=fps,
        **more,
    )


def answer(start: int, end: int, box: Box = HALF) -> Prediction:
    boxes = {start: box, end: box}
    return Prediction((start / LAST, end / LAST), boxes, parsed=True)


def slow_hcstvg(event: tuple[int, int], given: tuple[int, int]) -> tuple[float, float]:
    """As its evaluation script goes through the frames."""
    both = [f for f in range(LAST + 1) if event[0] <= f <= event[1]]
    both = [f for f in both if given[0] <= f <= given[1]]
    hull = max(event[1], given[1]) - min(event[0], given[0]) + 1
    return len(both) / hull, 0.5 * len(both) / hull


SPANS = st.tuples(st.integers(0, LAST), st.integers(0, LAST)).map(
    lambda pair: (min(pair), max(pair))
)


@given(SPANS, SPANS)
def test_hcstvg_frame_by_frame(event: tuple[int, int], given: tuple[int, int]) -> None:
    found = hcstvg_overlap(truth(*event), answer(*given))
    assert (found.tiou, found.viou) == pytest.approx(slow_hcstvg(event, given))


@given(SPANS, SPANS)
def test_vidstg_frame_by_frame(event: tuple[int, int], given: tuple[int, int]) -> None:
    found = vidstg_overlap(truth(*event), answer(*given))
    # The clip's last frame is not looked at, as in the evaluation that all use.
    one, two = (set(range(a, b + 1)) & set(range(LAST)) for a, b in (event, given))
    assert found.viou == pytest.approx(0.5 * len(one & two) / max(len(one | two), 1))
    frames = [set(range(a, b + 1)) for a, b in (event, given)]
    assert found.tiou == pytest.approx(
        len(frames[0] & frames[1]) / len(frames[0] | frames[1])
    )


def test_the_two_differ_in_a_gap() -> None:
    row, far = truth(10, 19), answer(30, 39)
    assert hcstvg_overlap(row, far).viou == vidstg_overlap(row, far).viou == 0
    near = answer(15, 29, WHOLE)
    assert hcstvg_overlap(row, near).viou == pytest.approx(5 / 20)
    assert vidstg_overlap(row, near).viou == pytest.approx(5 / 20)


def test_five_frames_a_second() -> None:
    assert vidstg_frames((0, 30), 30.0).tolist() == [0, 6, 12, 18, 24]
    assert vidstg_frames((2, 20), 30.0).tolist() == [2, 6, 12, 18]
    assert vidstg_frames((0, 5), 4.0).tolist() == [0, 1, 2, 3, 4]
    assert vidstg_frames((0, 5), None).tolist() == [0, 1, 2, 3, 4]


def test_at_most_two_hundred_frames() -> None:
    frames = vidstg_frames((0, 3000), 30.0)  # 500 at 5 a second
    assert len(frames) == 200
    assert frames[:3].tolist() == [0, 12, 30]


def test_boxes_between_the_model_s_frames_are_linear() -> None:
    """The box moves from 0 to 20 over 10 frames, and the truth with it."""
    track = {f: (2.0 * f, 0.0, 2.0 * f + 10, 10.0) for f in range(11)}
    row = ResultRow("", "", split=(0, 10), true_frames=(0, 10), true_track=track)
    given = Prediction((0.0, 1.0), {0: track[0], 10: track[10]}, parsed=True)
    assert hcstvg_overlap(row, given).viou == pytest.approx(1.0)


@pytest.mark.parametrize(
    "given",
    [Prediction(), Prediction((0.1, 0.2)), Prediction(boxes={12: WHOLE})],
)
def test_an_answer_without_a_part_is_worth_nothing(given: Prediction) -> None:
    row = truth(10, 19)
    assert hcstvg_overlap(row, given).viou == vidstg_overlap(row, given).viou == 0.0


def raw(kind: str, outputs: str) -> dict[str, Any]:
    return {
        "split": [0, 99],
        "width": 100,
        "height": 100,
        "fps": 25.0,
        "kind": kind,
        "gt": {
            "tvg": [20, 50],
            "svg": {"20": [10, 10, 20, 20]},
            "track": {"first": 20, "xyxy": [[10, 10, 20, 20]] * 31},
        },
        "outputs": outputs,
        "converted_outputs": outputs,
    }


def test_kinds_of_sentences_apart() -> None:
    good = (
        "{<TEMP-020><TEMP-050>} <TEMP-020>:[<WIDTH-010><HEIGHT-010><WIDTH-020>"
        "<HEIGHT-020>]"
    )
    rows = [
        raw("declarative", good),
        raw("interrogative", "no"),
        raw("declarative", ""),
    ]
    found = score([check_row(row, "stvg") for row in rows], "stvg", "vidstg")
    assert found["m_tiou"] == pytest.approx(1 / 3)
    assert found["declarative_m_viou"] == pytest.approx(found["m_viou"] * 3 / 2)  # type: ignore[operator]
    assert found["declarative_viou@0.5"] == 50.0
    assert found["interrogative_m_viou"] == 0.0
    assert found["num_unparsed"] == 2


def test_a_value_on_the_threshold_does_not_count() -> None:
    row, given = truth(0, 98), answer(0, 98, HALF)
    assert vidstg_overlap(row, given).viou == 0.5
    from evaluation.benchmark_viou import vidstg_columns

    assert vidstg_columns([row], [given])["viou@0.5"].tolist() == [0.0]  # type: ignore[union-attr]
