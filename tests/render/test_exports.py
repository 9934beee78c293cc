"""Answers to JSON and back, and what happens with other people's JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from render_clips import regular, write_source

from render.exports import (
    description_to_dict,
    grounding_from_dict,
    grounding_to_dict,
    load_grounding,
    write_json,
)
from stablechat.errors import InputError, RenderError
from stablechat.types import (
    Description,
    Generation,
    Grounding,
    SecondLook,
    TimeSpan,
    Tube,
    VideoInfo,
)

VIDEO = VideoInfo(
    path=Path("/videos/影片.mp4"),
    width=160,
    height=120,
    rotation=90,
    fps=Fraction(30000, 1001),
    num_frames=60,
    duration_seconds=2.002,
    start_seconds=0.1,
    has_audio=True,
    codec="h264",
    container="mp4",
)
ANSWER = Grounding(
    video=VIDEO,
    query="the red circle moving left",
    task="stvg",
    span=TimeSpan(0.5, 1.5),
    tube=Tube(
        np.array([0.5, 1.0, 1.5]),
        np.array([[1.0, 2.0, 30.0, 40.0], [2, 3, 31, 41], [3, 4, 160, 120]]),
        np.array([0.5, 0.75, 1.0]),
    ),
    prose="It happens in this time.",
    confidence=0.8,
    generation=Generation(
        "It happens in <TEMP-025><TEMP-075> this time.", (1, 2), "stop", {"decode": 0.5}
    ),
    issues=("One thing.",),
    model="demo",
    span_confidence=0.9,
)
OTHER = replace(
    ANSWER,
    span=TimeSpan(0.2, 0.4),
    tube=None,
    prose="Or here.",
    confidence=0.3,
    generation=Generation("Or here.", (3,), "length", {"decode": 0.25}),
    issues=(),
    span_confidence=None,
)


def test_keys_are_the_agreed_ones() -> None:
    data = grounding_to_dict(ANSWER, files={"clip": Path("out/clip.mp4")})
    assert list(data) == [
        "video",
        "query",
        "task",
        "model",
        "span",
        "boxes",
        "confidence",
        "is_guess",
        "text",
        "finish_reason",
        "issues",
        "files",
        "timings",
        "alternatives",
    ]
    assert data["span"] == {
        "start_seconds": 0.5,
        "end_seconds": 1.5,
        "duration_seconds": 1.0,
        "confidence": 0.9,
    }
    assert data["boxes"][1] == {
        "time_seconds": 1.0,
        "xyxy": [2.0, 3.0, 31.0, 41.0],
        "confidence": 0.75,
    }
    assert data["files"] == {"clip": "out/clip.mp4"}
    assert data["video"]["fps"] == pytest.approx(29.97003)
    assert data["video"]["path"] == "/videos/影片.mp4"


def test_round_trip() -> None:
    data = json.loads(json.dumps(grounding_to_dict(ANSWER), allow_nan=False))
    back = grounding_from_dict(data)
    assert grounding_to_dict(back) == data
    assert back.video == VIDEO
    assert back.span == ANSWER.span and back.prose == ANSWER.prose
    assert back.tube is not None and ANSWER.tube is not None
    assert (back.tube.xyxy == ANSWER.tube.xyxy).all()
    assert back.tube.confidence is not None


def test_a_second_look_round_trips() -> None:
    answer = replace(ANSWER, second_look=SecondLook("a bird flies", 0.25))
    data = json.loads(json.dumps(grounding_to_dict(answer), allow_nan=False))
    told = {"words": "a bird flies", "difference_nats": 0.25}
    assert (data["second_look"], data["is_guess"]) == (told, True)
    assert grounding_from_dict(data).second_look == answer.second_look
    assert "second_look" not in grounding_to_dict(ANSWER)


@pytest.mark.parametrize(
    "told",
    [
        "a bird",
        {"words": "a bird"},
        {"words": "", "difference_nats": 0.1},
        {"words": "a bird", "difference_nats": 9},
        {"words": "a bird", "difference_nats": -0.1},
    ],
)
def test_a_second_look_that_can_not_be_is_refused(told: object) -> None:
    data = {**grounding_to_dict(ANSWER), "second_look": told}
    with pytest.raises(InputError):
        grounding_from_dict(data)


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        (
            "Ends in <TEMP-060>, a red circle moves left. Object bounding box: "
            "<TEMP-030>:[<WIDTH-010><HEIGHT-010><WIDTH-050><HEIGHT-060>]",
            "a red circle moves left",
        ),
        ("Ends in 0.5, a dog. Object bounding box: 0.5:[0.1,0.2,0.3,0.4]", "a dog"),
    ],
)
def test_the_words_come_back_without_the_coordinates(text: str, prose: str) -> None:
    answer = replace(
        ANSWER,
        task="elc",
        prose=prose,
        generation=replace(ANSWER.generation, text=text),
    )
    assert grounding_from_dict(grounding_to_dict(answer)).prose == prose


def test_alternatives_round_trip() -> None:
    answer = replace(ANSWER, alternatives=(OTHER,))
    data = json.loads(json.dumps(grounding_to_dict(answer), allow_nan=False))
    assert set(data["alternatives"][0]) == {
        *("span", "boxes", "confidence", "text", "finish_reason", "issues"),
        *("is_guess", "timings"),
    }
    back = grounding_from_dict(data)
    assert grounding_to_dict(back) == data
    (other,) = back.alternatives
    assert (other.span, other.tube, other.confidence) == (OTHER.span, None, 0.3)
    assert (other.query, other.video) == (answer.query, answer.video)
    assert other.generation.finish_reason == "length"
    assert (back.span_confidence, other.span_confidence) == (0.9, None)


def test_a_file_of_an_earlier_version_is_read() -> None:
    data = grounding_to_dict(ANSWER)
    del data["alternatives"], data["span"]["confidence"]
    back = grounding_from_dict(data)
    assert back.alternatives == () and back.span_confidence is None


def test_nothing_found_round_trip() -> None:
    empty = Grounding(
        VIDEO, "q", "tvg", None, None, "", None, Generation("no", (), "length")
    )
    data = grounding_to_dict(empty)
    assert data["span"] is None and data["boxes"] == [] and data["confidence"] is None
    back = grounding_from_dict(data)
    assert not back.found and back.generation.finish_reason == "length"


def _set(path: str, value: Any) -> Any:
    def change(data: Any) -> None:
        *parents, last = path.split(".")
        for key in parents:
            data = data[int(key) if key.isdigit() else key]
        data[int(last) if last.isdigit() else last] = value

    return change


def _drop(key: str) -> Any:
    def change(data: Any) -> None:
        del data[key]

    return change


NAN = float("nan")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda data: [], "object"),
        (lambda data: "text", "object"),
        (_drop("video"), "video"),
        (_drop("query"), "query"),
        (_drop("task"), "task"),
        (_drop("span"), "span"),
        (_drop("boxes"), "boxes"),
        (_set("video", None), "video"),
        (_set("video.width", "160"), "width"),
        (_set("video.width", True), "width"),
        (_set("video.width", 1.5), "width"),
        (_set("video.width", -1), "width"),
        (_set("video.width", 0), "size"),
        (_set("video.fps", 0), "fps"),
        (_set("video.fps", 1e300), "fps"),
        (_set("video.fps", NAN), "fps"),
        (_set("video.duration_seconds", -1), "duration"),
        (_set("video.duration_seconds", 10**400), "duration"),
        (_set("video.duration_seconds", 1e308), "duration"),
        (_set("video.rotation", 45), "rotation"),
        (_set("video.path", 7), "path"),
        (_set("video.has_audio", "yes"), "has_audio"),
        (_set("query", 5), "query"),
        (_set("task", "steal"), "task"),
        (_set("text", None), "text"),
        (_set("finish_reason", "bored"), "finish_reason"),
        (_set("confidence", 2), "confidence"),
        (_set("span.confidence", -1), "span's confidence"),
        (_set("alternatives", {}), "alternatives"),
        (_set("alternatives", [{}] * 101), "at most 100"),
        (_set("alternatives", [3]), "an alternative"),
        (_set("alternatives", [{"boxes": []}]), "span"),
        (_set("confidence", "high"), "confidence"),
        (_set("issues", "one"), "issues"),
        (_set("issues", [1]), "issues"),
        (_set("timings", []), "timings"),
        (_set("timings", {"a": "b"}), "timings"),
        (_set("span", []), "span"),
        (_set("span.start_seconds", NAN), "start_seconds"),
        (_set("span.start_seconds", -1), "span"),
        (_set("span.start_seconds", 1.9), "span"),
        (_set("span.end_seconds", None), "end_seconds"),
        (_set("span", {"start_seconds": 5, "end_seconds": 6}), "span"),
        (_set("boxes", {}), "boxes"),
        (_set("boxes.0", 3), "box"),
        (_set("boxes.0.time_seconds", "0.5"), "time_seconds"),
        (_set("boxes.0.time_seconds", 1.2), "increase"),
        (_set("boxes.0.time_seconds", 1.0), "increase"),
        (_set("boxes.0.xyxy", [1, 2, 3]), "xyxy"),
        (_set("boxes.0.xyxy", None), "xyxy"),
        (_set("boxes.0.xyxy.0", NAN), "xyxy"),
        (_set("boxes.0.xyxy.0", 50), "x1 <= x2"),
        (_set("boxes.0.xyxy.2", 500), "outside"),
        (_set("boxes.0.xyxy.1", -40), "outside"),
        (_set("boxes.0.confidence", None), "confidence"),
        (_set("boxes.0.confidence", -0.1), "confidence"),
    ],
)
def test_bad_values_are_named_on_one_line(change: Any, named: str) -> None:
    data = grounding_to_dict(ANSWER)
    replaced = change(data)
    data = data if replaced is None else replaced
    with pytest.raises(InputError) as caught:
        grounding_from_dict(data)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"video": NaN}', "NaN"),
        ("\ufffe", "not JSON"),
        ("[]", "object"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "grounding.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=named) as caught:
        load_grounding(path, tmp_path / "video.mp4")
    assert "\n" not in str(caught.value)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        load_grounding(tmp_path / "none.json", tmp_path / "video.mp4")
    path = tmp_path / "binary.json"
    path.write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError, match="not JSON"):
        load_grounding(path, tmp_path / "video.mp4")


def test_load_takes_the_facts_from_the_video(tmp_path: Path) -> None:
    source = write_source(tmp_path / "video.mp4", regular(30, 2))
    path = tmp_path / "grounding.json"
    write_json(path, grounding_to_dict(ANSWER))
    loaded = load_grounding(path, source)
    assert loaded.video.path == source and not loaded.video.has_audio
    assert loaded.query == ANSWER.query


def test_all_answers_in_a_file_are_about_the_video_at_hand(tmp_path: Path) -> None:
    source = write_source(tmp_path / "video.mp4", regular(30, 2))
    path = tmp_path / "grounding.json"
    first = replace(ANSWER, alternatives=(OTHER,))
    write_json(path, grounding_to_dict(replace(first, original=first)))
    loaded = load_grounding(path, source)
    assert loaded.original is not None
    told = (loaded, *loaded.alternatives, loaded.original)
    told += loaded.original.alternatives
    assert [each.video.path for each in told] == [source] * 4


def test_boxes_and_other_answers_beyond_the_video_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "grounding.json"
    source = write_source(tmp_path / "video.mp4", regular(30, 1))
    no_span = replace(ANSWER, span=None, span_confidence=None)
    for answer in (no_span, replace(OTHER, alternatives=(no_span,))):
        write_json(path, grounding_to_dict(answer))
        with pytest.raises(InputError, match=r"at 1.4\d s and this video ends at 1"):
            load_grounding(path, source)
    early = grounding_to_dict(ANSWER)
    early["boxes"][0]["time_seconds"] = -3.0
    with pytest.raises(InputError, match="before the video"):
        grounding_from_dict(early)


def test_load_refuses_another_video(tmp_path: Path) -> None:
    path = tmp_path / "grounding.json"
    write_json(path, grounding_to_dict(ANSWER))
    small = write_source(tmp_path / "small.mp4", regular(30, 1), width=80)
    with pytest.raises(InputError, match="160x120"):
        load_grounding(path, small)
    short = write_source(tmp_path / "short.mp4", regular(30, 0.3))
    with pytest.raises(InputError, match="ends at"):
        load_grounding(path, short)


def test_json_is_strict_and_complete_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"text": "圆 \udc80"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"text": "圆 ?"}
    for bad in ({"a": NAN}, {"a": object()}):
        with pytest.raises(RenderError):
            write_json(path, bad)
    assert json.loads(path.read_text(encoding="utf-8")) == {"text": "圆 ?"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_can_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="can't be written"):
        write_json(tmp_path / "none" / "a.json", {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(RenderError, match="can't be written"):
        write_json(tmp_path / "folder", {})
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_description() -> None:
    said = Description(
        VIDEO, "What happens?", "A ball.", Generation("A ball.", (1,), "stop"), "demo"
    )
    data = description_to_dict(said)
    assert (data["question"], data["text"], data["model"]) == (
        "What happens?",
        "A ball.",
        "demo",
    )
    json.dumps(data, allow_nan=False)
