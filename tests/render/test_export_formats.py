"""Every export, read back by a reader of its own format."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio
import pytest
import srt
import webvtt
from exports_answers import FPS, NASTY, QUERY, SPAN, answer, source
from PIL import Image
from pycocotools.coco import COCO
from render_clips import number_of, read_clip, regular, write_source

from evaluation.datasets import st_align as st_align_reader
from render.exports import export_answers, formats_named
from stablechat.types import Grounding, Task, TimeSpan
from stablechat.video import probe
from training.vidor.annotations import read_vidor

Save = Callable[..., Path]

#: 1.0 to 2.0 seconds at 25 a second, both ends included.
FIRST, LAST = 25, 50


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source(tmp_path_factory.mktemp("source"))


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Save answers in one format; gives the file."""

    def one(answers: Grounding | list[Grounding], name: str) -> Path:
        done = export_answers(answers, tmp_path, formats_named(name))
        (path,) = done.files.values()
        assert not done.left_out
        return path

    return one


def expected_box(number: int) -> np.ndarray:
    share = (number - FIRST) / (LAST - FIRST)
    return np.array([10 + 50 * share, 20, 50 + 50 * share, 60])


# --- tables ---------------------------------------------------------------------


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_of_moments(video: Path, save: Save) -> None:
    (row,) = table(save(answer(video), "csv"))
    assert row["query"] == QUERY and row["rank"] == "1"
    assert (float(row["start_seconds"]), float(row["end_seconds"])) == (1.0, 2.0)
    assert float(row["duration_seconds"]) == 1.0 and float(row["confidence"]) == 0.8
    assert row["video"] == "影片 (1).mp4"


def test_the_table_of_boxes(video: Path, save: Save) -> None:
    rows = table(save(answer(video), "boxes"))
    assert [int(row["frame"]) for row in rows] == list(range(FIRST, LAST + 1))
    for row in rows:
        box = [float(row[name]) for name in ("x1", "y1", "x2", "y2")]
        np.testing.assert_allclose(box, expected_box(int(row["frame"])), atol=1e-3)
        assert float(row["time_seconds"]) == pytest.approx(int(row["frame"]) / FPS)
    assert float(rows[0]["confidence"]) == 0.5


@pytest.mark.parametrize(
    "query", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " \n=1", NASTY, "\uff1d1"]
)
def test_a_question_is_no_formula(video: Path, save: Save, query: str) -> None:
    for name in ("csv", "boxes"):
        row = table(save(answer(video, query), name))[0]
        assert row["query"].startswith("'")
        assert "\n" not in row["query"]


# --- subtitles ------------------------------------------------------------------


def test_srt(video: Path, save: Save) -> None:
    later = answer(video, "later", span=TimeSpan(2.0, 2.5))
    text = save([later, answer(video)], "srt").read_text(encoding="utf-8")
    cues = list(srt.parse(text))
    assert [cue.content for cue in cues] == [QUERY, "later"]
    assert [cue.index for cue in cues] == [1, 2]
    assert [cue.start.total_seconds() for cue in cues] == [1.0, 2.0]
    assert [cue.end.total_seconds() for cue in cues] == [2.0, 2.5]


def test_vtt(video: Path, save: Save) -> None:
    later = answer(video, "later", span=TimeSpan(2.0, 2.5))
    cues = webvtt.read(save([later, answer(video)], "vtt")).captions
    assert [cue.text for cue in cues] == [QUERY, "later"]
    assert [(cue.start, cue.end) for cue in cues] == [
        ("00:00:01.000", "00:00:02.000"),
        ("00:00:02.000", "00:00:02.500"),
    ]


def test_no_text_breaks_the_subtitles(video: Path, save: Save) -> None:
    (cue,) = srt.parse(save(answer(video, NASTY), "srt").read_text(encoding="utf-8"))
    assert "圆" in cue.content and "\n" not in cue.content
    assert "<b>" not in cue.content and "{\\an8}" not in cue.content
    path = save(answer(video, NASTY), "vtt")
    (caption,) = webvtt.read(path).captions
    assert "圆" in caption.raw_text
    assert path.read_text(encoding="utf-8").count("-->") == 1


def test_a_single_picture_is_a_cue_that_can_be_seen(video: Path, save: Save) -> None:
    moment = answer(video, span=TimeSpan(1.0, 1.0), boxes=False)
    (cue,) = srt.parse(save(moment, "srt").read_text(encoding="utf-8"))
    assert (cue.end - cue.start).total_seconds() == pytest.approx(1 / FPS)


# --- annotations ----------------------------------------------------------------


def test_coco(video: Path, save: Save) -> None:
    second = answer(video, "the square", span=TimeSpan(1.8, 2.2))
    data = COCO(str(save([answer(video), second], "coco")))
    assert [c["name"] for c in data.loadCats(data.getCatIds())] == [QUERY, "the square"]
    images = {image["id"]: image for image in data.loadImgs(data.getImgIds())}
    numbers = sorted(image["frame_id"] for image in images.values())
    assert numbers == list(range(FIRST, 56))
    assert len({image["file_name"] for image in images.values()}) == len(images)
    track = data.loadAnns(data.getAnnIds(catIds=[1]))
    assert len(track) == LAST - FIRST + 1
    for each in track:
        x, y, width, height = each["bbox"]
        box = expected_box(images[each["image_id"]]["frame_id"])
        np.testing.assert_allclose([x, y, x + width, y + height], box, atol=0.01)
        mask = data.annToMask(each)
        assert mask.shape == (120, 160)
        assert mask.sum() == pytest.approx(each["area"], rel=0.1)


def test_coco_about_a_still_image(tmp_path: Path, save: Save) -> None:
    path = tmp_path / "photo.png"
    Image.new("RGB", (100, 50)).save(path)
    from stablechat.pictures import read_image

    boxed = answer(source(tmp_path), span=TimeSpan(0, 1), task="rec")
    found = Grounding(
        read_image(path).video, "it", "rec", None, boxed.tube, "", None,
        boxed.generation,
    )  # fmt: skip
    data = COCO(str(save(found, "coco")))
    (image,) = data.loadImgs(data.getImgIds())
    assert (image["file_name"], image["width"]) == ("photo.png", 100)
    assert len(data.getAnnIds()) == 1


def test_vidor(video: Path, save: Save) -> None:
    read = read_vidor(save([answer(video), answer(video, "it", boxes=False)], "vidor"))
    assert (read.num_frames, read.fps, read.width, read.height) == (75, FPS, 160, 120)
    assert read.categories == {0: QUERY} and read.video_path == "影片 (1).mp4"
    assert sorted(read.tracks[0]) == list(range(FIRST, LAST + 1))
    for number, box in read.tracks[0].items():
        np.testing.assert_allclose(box, expected_box(number), atol=1)


@pytest.mark.parametrize("task", ["stvg", "svg", "elc"])
def test_st_align(video: Path, save: Save, task: Task) -> None:
    path = save(answer(video, task=task), "st-align")
    (sample,) = st_align_reader.load_samples(path, task)
    assert sample.video_path == "影片 (1).mp4" and sample.query == QUERY
    assert sample.split == (0, 74) and sample.true_frames == (FIRST, LAST)
    assert set(sample.true_boxes) == set(range(FIRST, LAST + 1))
    for number, box in sample.true_boxes.items():
        np.testing.assert_allclose(box, expected_box(number), atol=0.02)
    assert not any(key in sample.prompt for key in ("<s>", "<e>", "<region>"))


@pytest.mark.parametrize("query", [NASTY, "<s> and <bboxes>"])
def test_questions_that_look_like_keys(video: Path, save: Save, query: str) -> None:
    path = save(answer(video, query), "st-align")
    (sample,) = st_align_reader.load_samples(path, "stvg")
    assert sample.true_frames == (FIRST, LAST)


def test_a_region_question_needs_no_query(video: Path, save: Save) -> None:
    path = save(answer(video, "", "elc"), "st-align")
    (sample,) = st_align_reader.load_samples(path, "elc")
    assert sample.caption == "It is there"


def test_frames_are_counted_by_their_own_times(tmp_path: Path, save: Save) -> None:
    """With a varying rate, a number is not the time times the average rate."""
    times = [*regular(50, 1.0), *regular(10, 2.0, start=1.0)]
    path = write_source(tmp_path / "varying.mp4", times)
    rows = table(save(answer(path), "boxes"))
    assert [int(row["frame"]) for row in rows] == list(range(50, 61))
    assert float(rows[-1]["time_seconds"]) == pytest.approx(2.0, abs=1e-3)


# --- editing --------------------------------------------------------------------


def test_otio_has_the_frames_of_the_clip(video: Path, save: Save) -> None:
    found = answer(video)
    timeline = opentimelineio.adapters.read_from_file(str(save(found, "otio")))
    assert [track.kind for track in timeline.tracks] == ["Video", "Audio"]
    (clip,) = timeline.tracks[0]
    assert clip.name == QUERY
    wanted = opentimelineio.opentime.TimeRange(
        opentimelineio.opentime.RationalTime(FIRST, FPS),
        opentimelineio.opentime.RationalTime(LAST - FIRST + 1, FPS),
    )
    assert clip.source_range == wanted and clip.markers[0].marked_range == wanted
    assert clip.available_range().duration.value == 75
    assert len(read_clip(save(found, "mp4")).frames) == wanted.duration.value
    assert not [
        e for e in timeline.find_clips() if e.media_reference.is_missing_reference
    ]


def test_otio_counts_ntsc_frames(tmp_path: Path, save: Save) -> None:
    rate = Fraction(30000, 1001)
    path = write_source(tmp_path / "ntsc.mp4", regular(rate, 3), rate=rate)
    timeline = opentimelineio.adapters.read_from_file(str(save(answer(path), "otio")))
    (clip,) = timeline.tracks[0]
    assert [track.kind for track in timeline.tracks] == ["Video"]
    start, length = clip.source_range.start_time, clip.source_range.duration
    assert start.rate == pytest.approx(float(rate))
    frames = read_clip(save(answer(path), "mp4")).frames
    first, last = (number_of(frames[place], 160, 120) for place in (0, -1))
    assert (start.value, start.value + length.value - 1) == (first, last)
    assert (first, last) == (30, 60)


def test_edl(video: Path, save: Save) -> None:
    later = answer(video, NASTY, span=TimeSpan(2.0, 2.2))
    text = save([answer(video), later], "edl").read_text(encoding="utf-8")
    timeline = opentimelineio.adapters.read_from_string(text, "cmx_3600", rate=FPS)
    clips = [
        each for each in timeline.video_tracks()[0]
        if isinstance(each, opentimelineio.schema.Clip)
    ]  # fmt: skip
    ranges = [(c.source_range.start_time.value, c.duration().value) for c in clips]
    assert ranges == [(25, 26), (50, 6)]
    assert {clip.name for clip in clips} == {"影片 (1).mp4"}
    assert "FCM: NON-DROP FRAME" in text


def test_a_rate_that_no_timecode_counts(tmp_path: Path) -> None:
    path = write_source(tmp_path / "fast.mp4", regular(120, 3), rate=120)
    done = export_answers(answer(path), tmp_path, formats_named("edl,otio"))
    assert set(done.files) == {"otio"} and "120" in done.left_out["edl"]


# --- pictures and clips ---------------------------------------------------------


def test_png(video: Path, save: Save) -> None:
    with Image.open(save(answer(video), "png")) as sheet:
        sheet.load()
        assert sheet.format == "PNG" and sheet.width > 4 * 160


def test_mp4(video: Path, save: Save) -> None:
    clip = probe(save(answer(video), "mp4"))
    assert clip.codec == "h264" and clip.has_audio
    assert clip.num_frames == LAST - FIRST + 1


# --- nothing found --------------------------------------------------------------


def test_an_answer_without_a_time(video: Path, tmp_path: Path) -> None:
    empty = answer(video, span=None)
    done = export_answers(empty, tmp_path, formats_named("all"))
    assert set(done.left_out) == {"mp4", "png", "st-align"}
    assert done.left_out["mp4"] == done.left_out["png"] == "nothing was found"
    (row,) = table(done.files["csv"])
    assert (row["query"], row["start_seconds"]) == (QUERY, "")
    assert table(done.files["boxes"]) == []
    assert list(srt.parse(done.files["srt"].read_text())) == []
    assert webvtt.read(done.files["vtt"]).captions == []
    assert COCO(str(done.files["coco"])).getAnnIds() == []
    assert read_vidor(done.files["vidor"]).tracks == {}
    read = opentimelineio.adapters.read_from_file
    assert list(read(str(done.files["otio"])).find_clips()) == []
    text = done.files["edl"].read_text()
    assert text.startswith("TITLE: ") and "AX" not in text
    assert json.loads(done.files["grounding"].read_text())["span"] is None


def test_a_time_without_boxes(video: Path, tmp_path: Path) -> None:
    when = answer(video, task="tvg", boxes=False)
    names = formats_named("boxes,coco,vidor,st-align,otio")
    done = export_answers(when, tmp_path, names)
    data: Any = json.loads(done.files["coco"].read_text(encoding="utf-8"))
    assert data["videos"][0]["moments"] == [
        {"query": QUERY, "start_seconds": SPAN.start_seconds, "end_seconds": 2.0}
    ]
    assert len(data["images"]) == 26 and data["annotations"] == []
    assert set(done.left_out) == {"st-align"}
    assert table(done.files["boxes"]) == []
