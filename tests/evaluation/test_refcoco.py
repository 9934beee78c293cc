"""RefCOCO, RefCOCO+ and RefCOCOg."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.datasets import DATASETS
from evaluation.datasets.loading import Loaded
from stablechat.errors import InputError


def image(number: int, **changes: Any) -> dict[str, Any]:
    good = {
        "id": number,
        "file_name": f"COCO_train2014_{number:012d}.jpg",
        "width": 640,
        "height": 480,
        "caption": "man on the left",
    }
    return {**good, **changes}


def box(number: int, bbox: Any = (64.0, 48.0, 160.0, 240.0)) -> dict[str, Any]:
    return {"id": number, "bbox": list(bbox)}


def load(folder: Path, content: Any) -> Loaded:
    path = folder / "refcoco_val.json"
    path.write_text(json.dumps(content))
    return DATASETS["refcoco"].load(path, "rec", None)


def test_a_row(tmp_path: Path) -> None:
    content = {"images": [image(7)], "annotations": [box(7)], "categories": []}
    (sample,) = load(tmp_path, content).samples
    assert sample.prompt == "Where is man on the left situated within this image?"
    assert sample.video_path == "COCO_train2014_000000000007.jpg"
    assert sample.truth_fields == {"gt_bbox": [0.1, 0.1, 0.35, 0.6]}


def test_a_box_over_the_edge_is_clipped(tmp_path: Path) -> None:
    content = {"images": [image(7)], "annotations": [box(7, (-5, 470, 700, 20))]}
    assert load(tmp_path, content).samples[0].true_unit == (0.0, 0.979, 1.0, 1.0)


def test_a_caption_that_is_the_question(tmp_path: Path) -> None:
    asked = image(7, caption="<image>\nWhere does the man appear in this image?")
    (sample,) = load(tmp_path, {"images": [asked], "annotations": [box(7)]}).samples
    assert sample.prompt == "Where does the man appear in this image?"


@pytest.mark.parametrize(
    ("changes", "other", "reason"),
    [
        ({}, box(2), "image 1 stands beside the box of image 2"),
        ({"width": 0}, box(1), "size must be positive"),
        ({"caption": None}, box(1), "caption must be text"),
        ({"file_name": "/etc/passwd"}, box(1), "must stay in the folder"),
        ({}, box(1, (1, 2, 3)), "not enough values"),
        ({}, box(1, (1, 2, -3, 4)), "a box must be"),
        ({}, box(1, (700, 2, 3, 4)), "lies outside the picture of 640x480"),
        ({}, {"id": 1}, "'bbox' is not there"),
    ],
)
def test_bad_rows(
    tmp_path: Path, changes: dict[str, Any], other: dict[str, Any], reason: str
) -> None:
    images = [image(0), image(1, **changes)]
    loaded = load(tmp_path, {"images": images, "annotations": [box(0), other]})
    (problem,) = loaded.problems
    assert problem.row == 1 and reason in problem.reason
    assert len(loaded.samples) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "JSON object"),
        ({"images": []}, "lists images and annotations"),
        ({"images": [image(0)], "annotations": []}, "1 images and 0 annotations"),
    ],
)
def test_another_file(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, content)
