"""The benchmark of long videos: its truth, and how it scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks._long_video import make_long_video
from benchmarks.long_videos import by_confidence, judge, score
from stablechat.types import (
    Generation,
    Grounding,
    Moment,
    Moments,
    TimeSpan,
    VideoInfo,
)
from stablechat.video import probe


def moment(video: VideoInfo, span: tuple[float, float], confidence: float) -> Moment:
    nothing = Generation("", (), "stop")
    answer = Grounding(
        video, "it", "stvg", TimeSpan(*span), None, "", confidence, nothing
    )
    return Moment(answer, (TimeSpan(0, 20),))


def test_a_long_video_holds_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    hidden = make_long_video(path, 30, 3, seed=5)
    video = probe(path)
    assert video.duration_seconds >= 30
    assert video.has_audio
    assert len({each.query for each in hidden}) == 3
    for each in hidden:
        assert each.scene.start_seconds <= each.span.start_seconds
        assert each.span.end_seconds <= each.scene.end_seconds <= 30 + 20
    assert hidden == make_long_video(tmp_path / "again.mp4", 30, 3, seed=5)


def test_rankings_are_scored_by_their_first_moments(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    (hidden,) = make_long_video(path, 12, 1, seed=5)
    video = probe(path)
    right = moment(video, (hidden.span.start_seconds, hidden.span.end_seconds), 0.2)
    wrong = moment(video, (100.0, 101.0), 0.9)
    found = Moments(video, "it", (right, wrong), (TimeSpan(0, 20),), 2)
    report = judge([found], [hidden])
    assert report["by_second_look"]["first_is_right"] == 1.0
    assert report["by_confidence_alone"]["first_is_right"] == 0.0
    assert report["by_confidence_alone"]["right_in_first_3"] == 1.0
    assert report["found_by_some_window"] == 1.0
    assert by_confidence([right, wrong]) == [wrong, right]


def test_a_query_without_moments_counts_as_wrong() -> None:
    assert score([[], [0.6]]) == {
        "first_is_right": 0.5,
        "right_in_first_3": 0.5,
        "mean_tiou_of_first": pytest.approx(0.3),
    }
