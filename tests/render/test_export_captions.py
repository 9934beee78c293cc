"""What is said part by part as files, each read by its format's own reader."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import srt
import webvtt
from exports_answers import NASTY, source

from render.exports import (
    caption_formats_named,
    captions_from_dict,
    captions_to_dict,
    export_captions,
)
from stablechat.errors import InputError, RenderError
from stablechat.types import Caption, Captions, Generation, TimeSpan
from stablechat.video import probe

LONG = "and then " * 2000
TEXTS = ["A circle moves left.", NASTY, LONG, "\x01\x02"]


@pytest.fixture
def captions(tmp_path: Path) -> Captions:
    video = probe(source(tmp_path))
    spans = [TimeSpan(0.0, 1.0), TimeSpan(1.0, 2.0), TimeSpan(2.0, 2.5)]
    spans.append(TimeSpan(2.5, 3.0))
    made = [
        Caption(span, text, Generation(text, (), "stop"))
        for span, text in zip(spans, TEXTS, strict=True)
    ]
    return Captions(video, "what?", tuple(made), tuple(spans), "demo", ("Odd.",))


def test_every_format_holds_every_part(captions: Captions, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    files = export_captions(captions, folder, stem="it")
    assert sorted(os.listdir(folder)) == sorted(
        f"it_captions.{ending}" for ending in ("json", "srt", "vtt", "csv")
    )
    times = [(0.0, 1.0), (1.0, 2.0), (2.0, 2.5), (2.5, 3.0)]
    first = TEXTS[0]

    cues = list(srt.parse(files["srt"].read_text("utf-8"), ignore_errors=False))
    spans = [(c.start.total_seconds(), c.end.total_seconds()) for c in cues]
    assert spans == times and cues[0].content == first
    assert cues[2].content == LONG.strip() and cues[3].content == "…"
    assert "\n" not in cues[1].content and "-->" not in cues[1].content

    told = webvtt.read(str(files["vtt"])).captions
    assert [(c.start_in_seconds, c.end_in_seconds) for c in told] == [
        (int(a), int(b)) for a, b in times
    ]
    assert told[0].text == first and len(told) == 4

    rows = list(csv.DictReader(io.StringIO(files["csv"].read_text("utf-8-sig"))))
    assert [(float(r["start_seconds"]), float(r["end_seconds"])) for r in rows] == times
    assert rows[0]["text"] == first and rows[0]["question"] == "what?"
    assert rows[1]["text"].startswith("'=")  # no formula

    again = captions_from_dict(json.loads(files["json"].read_text("utf-8")))
    assert [each.text for each in again.captions] == TEXTS
    assert [each.span for each in again.captions] == [c.span for c in captions.captions]
    assert (again.windows, again.issues) == (captions.windows, captions.issues)
    assert (again.question, again.model) == ("what?", "demo")
    assert again.segment is None
    part = replace(captions, segment=TimeSpan(0.0, 2.5))
    assert captions_from_dict(captions_to_dict(part)).segment == part.segment


def test_without_words_the_files_are_empty_but_whole(
    captions: Captions, tmp_path: Path
) -> None:
    silent = replace(captions, captions=())
    files = export_captions(silent, tmp_path, caption_formats_named("all"))
    assert list(srt.parse(files["srt"].read_text("utf-8"))) == []
    assert webvtt.read(str(files["vtt"])).captions == []
    assert captions_from_dict(json.loads(files["json"].read_bytes())).captions == ()


def test_a_folder_that_is_gone_is_one_plain_line(
    captions: Captions, tmp_path: Path
) -> None:
    with pytest.raises(RenderError, match="can't be written"):
        export_captions(captions, tmp_path / "gone")


def test_only_its_own_formats_are_known() -> None:
    assert [each.name for each in caption_formats_named("vtt, SRT")] == ["srt", "vtt"]
    for odd in ("mp4", "", "zip"):
        with pytest.raises(InputError, match="use json, srt, vtt, csv, all"):
            caption_formats_named(odd)


@pytest.mark.parametrize(
    "change",
    [
        {"captions": "none"},
        {"captions": [5]},
        {"captions": [{"start_seconds": 0, "end_seconds": 1, "text": ""}]},
        {"captions": [{"start_seconds": 1, "end_seconds": 0, "text": "x"}]},
        {"captions": [{"start_seconds": 90, "end_seconds": 99, "text": "x"}]},
        {"captions": [{"start_seconds": 0, "end_seconds": "x", "text": "x"}]},
        {"captions": [{"start_seconds": 0, "end_seconds": 3, "text": "x"}] * 2},
        {"windows": []},
        {"windows": [{"start_seconds": 0, "end_seconds": 1}] * 10_001},
        {"issues": [1]},
        {"segment": {"start_seconds": 90, "end_seconds": 99}},
        {"video": None},
    ],
)
def test_what_is_no_caption_file_is_refused(captions: Captions, change: Any) -> None:
    with pytest.raises(InputError) as refused:
        captions_from_dict({**captions_to_dict(captions), **change})
    assert "\n" not in str(refused.value)
