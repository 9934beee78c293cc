"""VidSTG: real rows where they are at hand, and boxes made to VidOR's format."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from eval_samples import FakeAsker, answer_text

from evaluation.datasets import DATASETS
from evaluation.datasets.loading import Loaded
from evaluation.protocols import score
from evaluation.row_file import RowFile
from evaluation.rows import read_result_rows
from evaluation.runner import run
from stablechat.errors import InputError
from stablechat.types import GenerationConfig

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "annotations" / "vidstg_test_400.json"


def row(**changes: Any) -> dict[str, Any]:
    """A clip of frames 10 to 109 of a longer video; the event on frames 20 to 49."""
    good = {
        "vid": "4580824633",
        "frame_count": 200,
        "fps": 29.97,
        "width": 640,
        "height": 360,
        "used_segment": {"begin_fid": 10, "end_fid": 109},
        "temporal_gt": {"begin_fid": 20, "end_fid": 50},
        "captions": [{"description": "a dog runs.", "type": "object", "target_id": 3}],
        "questions": [
            {"description": "what is above the dog?", "type": "person", "target_id": 1},
            {"description": "who runs?", "type": "person", "target_id": 1},
        ],
    }
    return {**good, **changes}


def vidor(folder: Path, vid: str, targets: dict[int, range], num_frames: int) -> None:
    """VidOR's file of a video: boxes of some objects on some frames."""

    def entry(tid: int, frame: int) -> dict[str, Any]:
        box = {"xmin": frame, "ymin": tid, "xmax": frame + 50, "ymax": tid + 60}
        return {"tid": tid, "bbox": box, "generated": 0, "tracker": "none"}

    trajectories = [
        [entry(tid, frame) for tid, frames in targets.items() if frame in frames]
        for frame in range(num_frames)
    ]
    path = folder / "validation" / vid[:4] / f"{vid}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "video_id": vid,
        "video_path": f"{vid[:4]}/{vid}.mp4",
        "trajectories": trajectories,
    }
    path.write_text(json.dumps(content))


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """Object 3 on the whole event, object 1 also, in a video of 200 frames."""
    vidor(tmp_path / "vidor", "4580824633", {3: range(200), 1: range(20, 50)}, 200)
    return tmp_path / "vidor"


def load(folder: Path, *rows: Any, extra: Path | None, task: Any = "stvg") -> Loaded:
    path = folder / "test_annotations.json"
    path.write_text(json.dumps(rows))
    return DATASETS["vidstg"].load(path, task, extra)


def test_each_sentence_is_a_question(tmp_path: Path, boxes: Path) -> None:
    loaded = load(tmp_path, row(), row(), extra=boxes)
    assert loaded.num_rows == 2 and not loaded.problems
    assert [sample.index for sample in loaded.samples] == list(range(6))
    kinds = Counter(sample.facts["kind"] for sample in loaded.samples)
    assert kinds == {"declarative": 2, "interrogative": 4}


def test_a_row(tmp_path: Path, boxes: Path) -> None:
    sample = load(tmp_path, row(), extra=boxes).samples[0]
    assert sample.video_path == "4580/4580824633.mp4"
    assert "can we see a dog runs occurring?" in sample.prompt
    assert sample.split == (10, 109) and not sample.whole_video
    assert sample.true_frames == (20, 49)  # the end is one behind the last frame
    assert sorted(sample.true_track) == list(range(20, 50))
    assert sample.true_track[20] == (20, 3, 70, 63)
    assert sample.facts == {"kind": "declarative", "fps": 29.97}


def test_a_clip_that_is_the_whole_video(tmp_path: Path, boxes: Path) -> None:
    segment = {"begin_fid": 0, "end_fid": 199}
    loaded = load(tmp_path, row(used_segment=segment), extra=boxes)
    assert all(sample.whole_video for sample in loaded.samples)


@pytest.mark.skipif(not REAL.exists(), reason="needs the 400 rows beside the checkout")
def test_real_rows_without_boxes(tmp_path: Path) -> None:
    loaded = DATASETS["vidstg"].load(REAL, "tvg", None)
    assert (loaded.num_rows, len(loaded.samples), loaded.problems) == (400, 898, [])
    assert len({sample.video_path for sample in loaded.samples}) == 272
    assert (
        sum(sample.facts["kind"] == "declarative" for sample in loaded.samples) == 400
    )
    assert all(0 <= s.true_unit[0] <= s.true_unit[1] <= 1 for s in loaded.samples)
    with pytest.raises(InputError, match="folder of VidOR's annotations"):
        DATASETS["vidstg"].load(REAL, "stvg", None)


@pytest.mark.skipif(not REAL.exists(), reason="needs the 400 rows beside the checkout")
def test_real_rows_with_boxes(tmp_path: Path) -> None:
    rows = json.loads(REAL.read_text())[:12]
    for item in rows:
        count = item["frame_count"]
        targets = {entry["tid"]: range(count) for entry in item["subject/objects"]}
        vidor(tmp_path, item["vid"], targets, count)
    loaded = load(tmp_path, *rows, extra=tmp_path / "validation")
    assert not loaded.problems
    sentences = sum(len(r["captions"]) + len(r["questions"]) for r in rows)
    assert len(loaded.samples) == sentences
    for sample in loaded.samples:
        assert sample.true_frames is not None
        start, end = sample.true_frames
        assert sample.split[0] <= start <= end <= sample.split[1]
        assert len(sample.true_track) == end + 1 - start


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vid": "111"}, "VidOR's annotation 111.json is not there"),
        (
            {"temporal_gt": {"begin_fid": 5, "end_fid": 50}},
            "event 5 to 49 must lie",
        ),
        ({"temporal_gt": {"begin_fid": 20, "end_fid": 20}}, "the event 20 to 19"),
        ({"used_segment": {"begin_fid": 9}}, "'end_fid' is not there"),
        ({"used_segment": {"begin_fid": 10, "end_fid": 10}}, "split must be"),
        ({"captions": [], "questions": []}, "4580824633 has no sentence"),
        ({"captions": [{"description": "a dog"}]}, "'target_id' is not there"),
        ({"fps": "fast"}, "could not convert"),
        (
            {"captions": [{"description": "a dog", "target_id": 9}]},
            "lacks the box of object 9 on 30 of the frames 20 to 49",
        ),
        (
            {
                "temporal_gt": {"begin_fid": 40, "end_fid": 60},
                "captions": [{"description": "a dog", "target_id": 1}],
            },
            "lacks the box of object 1 on 10 of the frames 40 to 59",
        ),
    ],
)
def test_bad_rows(
    tmp_path: Path, boxes: Path, changes: dict[str, Any], reason: str
) -> None:
    bad = {**row(), "questions": [], **changes}
    loaded = load(tmp_path, row(), bad, row(), extra=boxes)
    (problem,) = loaded.problems
    assert problem.row == 1 and reason in problem.reason
    sentences = len(bad["captions"]) + len(bad["questions"])
    assert loaded.samples[3].index == 3 + sentences  # none is renumbered


def test_a_vidor_file_that_is_too_short(tmp_path: Path) -> None:
    vidor(tmp_path, "4580824633", {3: range(40), 1: range(40)}, 40)
    (problem,) = load(tmp_path, row(), extra=tmp_path).problems
    assert (
        "ends at frame 49 and VidOR's 4580824633.json has 40 frames" in problem.reason
    )


def test_from_annotations_to_its_own_metrics(tmp_path: Path, boxes: Path) -> None:
    """Frames 20 to 49 of 10 to 109 are bins 10 to 39; the boxes move with them."""
    samples = load(tmp_path, row(), extra=boxes).samples
    corners = {
        time: tuple(
            round(value / size * 99)
            for value, size in zip(
                (time + 10, 3, time + 60, 63), (640, 360, 640, 360), strict=True
            )
        )
        for time in (10, 39)
    }
    asker = FakeAsker(lambda _: answer_text((10, 39), corners))  # type: ignore[arg-type]
    out = tmp_path / "rows.jsonl"
    run(samples, tmp_path, asker, RowFile(out), GenerationConfig())
    rows = read_result_rows(out, "stvg")
    assert [r.kind for r in rows] == ["declarative", "interrogative", "interrogative"]
    found = score(rows, "stvg", "vidstg")
    assert found["m_tiou"] == 1.0
    declarative, asked = (
        found[f"{kind}_m_viou"] for kind in ("declarative", "interrogative")
    )
    assert declarative is not None and asked is not None
    assert 0.85 < declarative < 1.0  # bins are 6 pixels wide
    assert asked < declarative  # object 1 is two pixels higher
    assert score(rows, "stvg", "hcstvg")["m_viou"] == pytest.approx(
        found["m_viou"], abs=0.02
    )


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_no_vidor(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=name):
        load(tmp_path, row(), extra=tmp_path / name)
