"""Every export says that a person corrected an answer, and is still read."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import opentimelineio
import pytest
import webvtt
from exports_answers import FPS, SPAN, answer, source
from pycocotools.coco import COCO

from evaluation.datasets import st_align as st_align_reader
from render.exports import (
    export_answers,
    formats_named,
    grounding_from_dict,
    grounding_to_dict,
    load_grounding,
)
from stablechat.correction import corrected
from stablechat.types import Grounding, TimeSpan
from training.vidor.annotations import read_vidor

BY_HAND = "corrected by hand"
BOX = np.array([80.0, 30, 120, 70])
BETTER = TimeSpan(1.4, 2.4)
#: Each with the place where it says so.
SAYING = ("csv", "boxes", "vtt", "coco", "vidor", "st-align", "otio", "edl", "json")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source(tmp_path_factory.mktemp("source"))


@pytest.fixture
def better(video: Path) -> Grounding:
    said = replace(answer(video), alternatives=(answer(video, boxes=False),))
    return corrected(said, BETTER, {2.0: BOX})


@pytest.mark.parametrize("name", SAYING)
def test_it_is_said_where_there_is_a_place_for_it(
    better: Grounding, video: Path, tmp_path: Path, name: str
) -> None:
    said = "corrected_by_hand" if name == "json" else BY_HAND
    for given, says in ((better, True), (answer(video), False)):
        done = export_answers(given, tmp_path, formats_named(name))
        (path,) = done.files.values()
        assert (said in path.read_text("utf-8-sig")) is says


def test_the_readers_see_the_correction(better: Grounding, tmp_path: Path) -> None:
    files = export_answers(better, tmp_path, formats_named("all")).files
    with files["csv"].open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (float(row["start_seconds"]), row["confidence"]) == (1.4, "")
    assert row["corrected"] == BY_HAND
    (caption,) = webvtt.read(files["vtt"]).captions
    assert (caption.start, caption.end) == ("00:00:01.400", "00:00:02.400")
    coco = COCO(str(files["coco"]))
    assert len(coco.anns) == round(0.6 * FPS) + 1  # to 2.0 s, the last known box
    assert coco.anns[1]["attributes"] == {"source": BY_HAND}
    assert read_vidor(files["vidor"]).tracks[0][50] == pytest.approx(BOX, abs=1)
    (sample,) = st_align_reader.load_samples(files["st-align"], "stvg")
    assert sample.true_frames == (35, 60)
    timeline = opentimelineio.adapters.read_from_file(str(files["otio"]))
    (clip,) = timeline.tracks[0]
    assert clip.markers[0].metadata["stablechat"]["source"] == BY_HAND


def test_the_models_answer_stays_in_the_json(better: Grounding) -> None:
    data = json.loads(json.dumps(grounding_to_dict(better), allow_nan=False))
    assert data["corrected_by_hand"] is True and data["confidence"] is None
    assert data["span"]["start_seconds"] == BETTER.start_seconds
    assert data["original"]["span"]["start_seconds"] == SPAN.start_seconds
    assert data["original"]["confidence"] == 0.8
    assert len(data["original"]["alternatives"]) == 1
    back = grounding_from_dict(data)
    assert grounding_to_dict(back) == data
    assert back.original is not None and back.original.span == SPAN
    del data["original"]
    with pytest.raises(Exception, match="'original' is missing"):
        grounding_from_dict(data)


def test_a_corrected_answer_is_loaded_with_its_original(
    better: Grounding, video: Path, tmp_path: Path
) -> None:
    path = export_answers(better, tmp_path, formats_named("json")).files["grounding"]
    loaded = load_grounding(path, video)
    assert loaded.span == BETTER
    assert loaded.original is not None and loaded.original.video == loaded.video
