"""Calibrating confidence: the worlds, the rows, the fit and the report."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answer_texts import answer, written

from stablechat.confidence import EVIDENCE, Curve, load_calibration
from stablechat.types import FloatArray, Generation, SecondLook, VideoInfo
from training.calibrate.absence import report_absence
from training.calibrate.figure import draw_curves
from training.calibrate.fit import (
    Pairs,
    calibration_to_dict,
    collect_pairs,
    fit_calibration,
    fit_curve,
)
from training.calibrate.overlaps import overlaps, place
from training.calibrate.report import (
    calibration_error,
    make_report,
    rank_correlation,
    reliability_curve,
    report_candidates,
)
from training.calibrate.rows import Row, Truth, read_rows
from training.calibrate.worlds import Drawn, draw_videos
from training.synthetic.worlds import WORLDS

# 99 x 99 pixels and 100 frames, ten a second: a bin is a pixel and a frame.
VIDEO = VideoInfo(Path("0.mp4"), 99, 99, 0, Fraction(10), 100, 10.0, 0.0, False, "h264")
PTS = np.arange(100) / 10


def row(said: Generation, first: int = 10, last: int = 20, **changed: Any) -> Row:
    boxes = np.tile([10.0, 20, 50, 60], (last - first + 1, 1))
    made = Row("plain", "a dog", VIDEO, PTS, said, Truth(first, boxes))
    return replace(made, **changed)


def scored(sure: float) -> Row:
    """The surer the model, the nearer is the true box's edge to the answer's."""
    truth = Truth(10, np.tile([10.0, 20, 30 + 20 * sure, 60], (11, 1)))
    return row(exact(sure=sure), truth=truth)


def exact(first: int = 10, last: int = 20, **said: Any) -> Generation:
    boxes = {frame: (10, 20, 50, 60) for frame in range(first, last + 1)}
    return written(answer((first, last), boxes), **said)


# --- overlaps -------------------------------------------------------------------


def test_a_perfect_answer() -> None:
    found = overlaps(row(exact()))
    assert (found.span, found.tube, found.mean_box) == (1, 1, 1)
    assert found.boxes.shape == (11,)


def test_frames_that_only_one_has_count_in_the_tube() -> None:
    found = overlaps(row(exact(10, 29), 10, 19))
    assert found.span == pytest.approx(9 / 19)
    assert found.tube == pytest.approx(10 / 20)
    assert found.mean_box == 1 and np.isnan(found.boxes).sum() == 10


def test_nothing_is_right_about_what_is_not_there() -> None:
    found = overlaps(row(exact(), truth=None))
    assert (found.span, found.tube, found.mean_box) == (0, 0, 0)
    silent = overlaps(row(written(["no idea"])))
    assert (silent.span, silent.tube, silent.mean_box) == (0, 0, 0)


def test_the_product_gives_what_is_measured() -> None:
    said = exact(offsets=0.25)
    found = place(row(said))
    assert found.span is not None and found.tube is not None
    assert found.span.start_seconds == pytest.approx(1.025)
    np.testing.assert_allclose(found.tube.at(1.5), [10.25, 20.25, 50.25, 60.25])
    plain = place(row(said), exact=False)
    assert plain.span is not None and plain.span.start_seconds == 1.0
    # A quarter of a pixel on each side of 40 x 40.
    shared = (40 - 0.25) ** 2
    expected = shared / (2 * 40**2 - shared)
    assert overlaps(row(said)).mean_box == pytest.approx(expected)
    assert overlaps(row(said), 0).mean_box == 1
    assert overlaps(row(said), 2, 0).span == 1


# --- fit ------------------------------------------------------------------------


def pairs_of(curve: Curve, count: int = 4000) -> Pairs:
    rng = np.random.default_rng(0)
    evidence = rng.normal(1, 2, (count, len(curve.weights)))
    # Overlaps that scatter around what the curve says.
    return Pairs(evidence, rng.beta(*beta(curve(evidence))))


def beta(means: FloatArray) -> tuple[FloatArray, FloatArray]:
    return 8 * means + 1e-6, 8 * (1 - means) + 1e-6


def test_a_curve_is_found_again() -> None:
    truth = Curve(-0.5, (0.8, 0.3))
    found = fit_curve(pairs_of(truth))
    assert found.intercept == pytest.approx(-0.5, abs=0.1)
    assert found.weights == pytest.approx((0.8, 0.3), abs=0.06)


def test_no_weight_is_negative() -> None:
    truth = Curve(0.0, (1.0, -0.6))
    found = fit_curve(pairs_of(truth))
    assert found.weights[1] == 0 and found.weights[0] > 0.5


def test_evidence_that_is_always_the_same_changes_nothing() -> None:
    pairs = pairs_of(Curve(0.2, (0.7,)))
    constant = np.column_stack([pairs.evidence, np.zeros(len(pairs.iou))])
    found = fit_curve(Pairs(constant, pairs.iou))
    assert found.weights == pytest.approx((0.7, 0.0), abs=0.06)


def test_a_calibration_goes_to_its_file_and_back(tmp_path: Path) -> None:
    rows = [scored(sure) for sure in np.linspace(0.3, 1, 12)]
    pairs = collect_pairs([*rows, row(exact(), truth=None)])
    assert len(pairs["answer"].iou) == 12 and len(pairs["box"].iou) == 132
    made = fit_calibration(pairs)
    data = calibration_to_dict(made, pairs, {"num_answers": 12})
    (tmp_path / "confidence.json").write_text(json.dumps(data))
    read = load_calibration(tmp_path)
    assert read is not None
    for level in EVIDENCE:
        assert read.curves[level].weights == pytest.approx(
            made.curves[level].weights, abs=1e-4
        )
    sure = [place(one, read).confidence for one in rows]
    assert sure == sorted(sure)  # type: ignore[type-var]


# --- report ---------------------------------------------------------------------


def test_calibration_error() -> None:
    sure = np.linspace(0, 1, 100)
    assert calibration_error(reliability_curve(sure, sure)) == pytest.approx(0)
    assert calibration_error(reliability_curve(sure, sure / 2)) == pytest.approx(0.25)
    assert calibration_error([]) == 0
    assert len(reliability_curve(np.array([0.5]), np.array([1.0]))) == 1
    assert rank_correlation(sure, -sure) == pytest.approx(-1)


def test_a_report_and_its_figure(tmp_path: Path) -> None:
    rows = [scored(sure) for sure in np.linspace(0.3, 1, 5)]
    rows.append(row(exact(offsets=0.1)))
    rows.append(row(exact(sure=0.2), truth=None, world="crowded"))
    calibration = fit_calibration(collect_pairs(rows))
    found = make_report(rows, calibration)
    assert found["num_rows"] == {"plain": 6, "not_there": 1}
    plain = found["positions"]["by_world"]["plain"]
    assert plain["num_rows"] == 6 and plain["gain"]["msiou"]["mean"] < 0
    assert found["confidence"]["box"]["num_examples"] == 66
    absence = found["not_there"]
    assert absence["auroc"] == 1 and absence["second_look"]["auroc"] is None
    assert (absence["num_rows"], absence["num_rows_there"]) == (1, 6)
    json.dumps(found, allow_nan=False)
    draw_curves(found["confidence"], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_what_is_told_as_a_guess_is_counted_by_its_reason() -> None:
    same, other = SecondLook("it", 0.0), SecondLook("another", 0.5)
    right, wrong = exact(sure=0.9), exact(60, 70, sure=0.9)
    rows = [
        row(right, second_look=same),
        row(wrong, second_look=other),
        row(right, truth=None, second_look=other),
        row(right, truth=None, second_look=same),
        row(exact(sure=0.2), truth=None),
        row(written(["I can't see that."]), truth=None),
    ]
    calibration = fit_calibration(collect_pairs([scored(s) for s in (0.2, 0.5, 0.9)]))
    found = report_absence(rows, calibration)
    assert (found["num_rows"], found["num_rows_there"]) == (4, 2)
    assert found["second_look"] == {
        **{"num_rows": 2, "num_rows_there": 2},
        "auroc": 0.5,  # of the four pairs one is right, one wrong, two are equal
    }
    by_look = found["told_as_guesses"]["by_second_look"]
    assert (by_look["num"], by_look["num_there"]) == (1, 1)
    assert by_look["mviou_there"] == 0 and by_look["mviou_of_the_others"] > 0.9
    either = found["told_as_guesses"]["by_either"]
    assert either["num"] >= 2 and either["num_there"] == 1


def test_candidates_are_counted_by_question() -> None:
    # The second answer to the first question is surer and right.
    wrong = exact(60, 70, sure=0.5)
    rows = [
        row(wrong),
        row(exact(sure=0.9), candidate=1),
        row(exact(sure=0.9)),
        row(wrong, candidate=1),
        row(wrong, truth=None),
    ]
    calibration = fit_calibration(collect_pairs([row(wrong), row(exact(sure=0.9))]))
    found = report_candidates(rows, calibration)
    assert (found["num_questions"], found["num_candidates"]) == (2, 2)
    assert found["mviou"] == {"plain": 0.5, "surest": 1.0, "best": 1.0, "mean": 0.5}
    assert found["surest"] == {"is_better": 1, "is_worse": 0}


def test_the_likeliest_answer_stands_beside_the_surest() -> None:
    right, wrong = exact(sure=0.9), exact(60, 70, sure=0.5)
    rows = [
        row(right, log_likelihood=-0.2),
        row(wrong, candidate=1, log_likelihood=-0.1),
    ]
    calibration = fit_calibration(collect_pairs([row(wrong), row(right)]))
    found = report_candidates(rows, calibration)
    assert found["mviou"]["surest"] == 1 and found["mviou"]["likeliest"] == 0
    assert found["likeliest"] == {"is_better": 0, "is_worse": 1}


# --- worlds and rows ------------------------------------------------------------


ASKED = ("plain", "low_bitrate", "strange_aspect", "low_rate", "crowded")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Drawn]:
    return [
        next(draw_videos(7, [number], tmp_path_factory.mktemp(world), world))
        for number, world in enumerate(ASKED)
    ]


def test_every_question_about_something_has_one_answer(drawn: list[Drawn]) -> None:
    for video in drawn:
        assert video.path.stat().st_size > 0
        there = [asked for asked in video.asked if asked.event is not None]
        assert there
        for asked in there:
            assert asked.event is not None
            assert asked.event.last_frame < video.layout.num_frames
            for x, y, width, height in asked.event.boxes.values():
                assert 0 <= x and x + width <= video.layout.width + 0.02
                assert 0 <= y and y + height <= video.layout.height + 0.02


def test_a_video_is_of_its_world(drawn: list[Drawn]) -> None:
    assert [video.world for video in drawn] == list(ASKED)
    strange = drawn[ASKED.index("strange_aspect")].layout
    assert not 0.5 < strange.width / strange.height < 2
    assert drawn[ASKED.index("low_rate")].layout.fps in WORLDS["low_rate"].rates


def test_a_video_does_not_depend_on_those_before_it(tmp_path: Path) -> None:
    (first,) = draw_videos(8, [3], tmp_path)
    *_, again = draw_videos(8, [2, 3], tmp_path)
    # x264 with threads does not write the same bytes twice.
    assert replace(again, path=first.path) == replace(first, path=first.path)


def test_rows_are_read(tmp_path: Path) -> None:
    said = exact(offsets=0.25)
    assert said.neighbour_probabilities is not None
    line = {
        "world": "plain",
        "video_number": 3,
        "query": "a dog",
        **{"width": 99, "height": 99, "fps": "30000/1001", "num_frames": 100},
        "duration_seconds": 3.3,
        "pts_seconds": PTS.tolist(),
        "text": said.text,
        "token_ids": list(said.token_ids),
        "finish_reason": "stop",
        "neighbours": said.neighbour_probabilities.tolist(),
        "truth": {"first_frame": 4, "xywh": [[1, 2, 3, 4], [1, 2, 3, 5]]},
    }
    path = tmp_path / "rows.jsonl"
    nothing = {**line, "truth": None, "candidate": 2, "log_likelihood": -0.5}
    path.write_text(json.dumps(line) + "\n" + json.dumps(nothing) + "\n")
    first, second = read_rows(path)
    assert first.truth is not None and first.truth.last_frame == 5
    np.testing.assert_array_equal(first.truth.xyxy[1], [1, 2, 4, 7])
    assert first.video.fps == Fraction(30000, 1001)
    assert overlaps(first).boxes.shape == (11,)
    assert (second.truth, second.candidate) == (None, 2)
    assert (first.log_likelihood, second.log_likelihood) == (None, -0.5)
    assert second.plain_generation.neighbour_probabilities is None
