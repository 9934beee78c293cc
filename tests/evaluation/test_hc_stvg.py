"""HC-STVG, both versions, by rows made to its documented format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.datasets import DATASETS
from evaluation.datasets.loading import Loaded
from evaluation.datasets.videos import VideoFolder
from stablechat.errors import InputError


def version_1(**changes: Any) -> dict[str, Any]:
    """The first ten seconds of twenty at 24 a second; the boxes move."""
    good = {
        "bbox": [[10 + frame, 20, 30, 100] for frame in range(241)],
        "st_time": 1.0,
        "ed_time": 11.0,
        "img_num": 480,
        "caption": "The man in red turns around.",
        "width": 640,
        "height": 360,
        "st_frame": 25,
    }
    return {**good, **changes}


def version_2() -> dict[str, Any]:
    row = version_1(English="The man in red turns around.", img_size=[360, 640])
    return {k: v for k, v in row.items() if k not in ("caption", "width", "height")}


def load(folder: Path, *rows: Any, version: int = 1, task: Any = "stvg") -> Loaded:
    path = folder / "test.json"
    path.write_text(json.dumps({f"{n}_x.mp4": row for n, row in enumerate(rows)}))
    return DATASETS[f"hc-stvg-v{version}"].load(path, task, None)


@pytest.mark.parametrize("version", [1, 2])
def test_a_row(tmp_path: Path, version: int) -> None:
    row = version_1() if version == 1 else version_2()
    (sample,) = load(tmp_path, row, version=version).samples
    assert sample.video_path == "0_x.mp4" and sample.whole_video
    assert (sample.split, sample.width, sample.height) == ((0, 479), 640, 360)
    assert sample.true_frames == (
        24,
        264,
    )  # frames are counted from 1
    assert sample.true_track[24] == (10, 20, 40, 120)
    assert sample.true_track[264] == (250, 20, 280, 120)
    assert len(sample.true_track) == 241
    assert set(sample.true_boxes) < set(sample.true_track)
    assert sample.prompt == (
        "At which time interval in the video can we see The man in red turns around "
        "occurring? Please describe the location of the corresponding subject/object "
        "in this video.Please firstly give the timestamps, and then give the spatial "
        "bounding box corresponding to each timestamp in the time period."
    )
    assert sample.facts == {"fps": 24.0}
    track = sample.truth["track"]
    assert track["first"] == 24 and len(track["xyxy"]) == 241


def test_the_time_alone(tmp_path: Path) -> None:
    (sample,) = load(tmp_path, version_1(), task="tvg").samples
    assert sample.truth_fields == {"gt": [0.05, 0.551], "fps": 24.0}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bbox": []}, "1_x.mp4 has no boxes"),
        ({"bbox": [[1, 2, 3]]}, "not enough values"),
        ({"bbox": [[1, 2, float("nan"), 4]]}, "a box must be"),
        ({"st_frame": 0}, "the event -1 to 239 must lie in the split 0 to 479"),
        ({"st_frame": 300}, "the event 299 to 539"),
        ({"img_num": 1}, "split must be"),
        ({"img_num": "many"}, "invalid literal"),
        ({"caption": " "}, "the sentence must be text"),
        ({"width": -1}, "size must be positive"),
    ],
)
def test_bad_rows(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    loaded = load(tmp_path, version_1(), version_1(**changes), version_1())
    (problem,) = loaded.problems
    assert problem.row == 1 and reason in problem.reason
    assert [sample.index for sample in loaded.samples] == [0, 2]


def test_a_test_set_without_boxes(tmp_path: Path) -> None:
    row = version_1()
    del row["bbox"]
    assert load(tmp_path, row).problems[0].reason == "'bbox' is not there"


def test_videos_in_parts_are_found(tmp_path: Path) -> None:
    for name in (
        "part_1/0_x.mp4",
        "part_2/1_x.mp4",
        "part_2/2_x.mp4",
        "part_3/2_x.mp4",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    folder = VideoFolder(tmp_path)
    assert folder.find("0_x.mp4") == tmp_path / "part_1" / "0_x.mp4"
    assert folder.find("part_2/2_x.mp4") == tmp_path / "part_2" / "2_x.mp4"
    assert folder.find("9_x.mp4") == tmp_path / "9_x.mp4"  # whose absence is told later
    with pytest.raises(InputError, match="2 files in other folders have its name"):
        folder.find("2_x.mp4")
