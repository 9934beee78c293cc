"""From folders of annotations to lines of conversations."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import golden_files
import pytest
import vidor_files
from vidor_files import box, relation

from evaluation.frames import Split
from stablechat.parser import parse_answer
from training.vidor import __main__ as command
from training.vidor.annotations import VidorVideo, read_vidor
from training.vidor.events import Event, events_of
from training.vidor.prepare import (
    Ambiguous,
    Row,
    Tally,
    prepare_rows,
    random_scorer,
    vidor_sources,
    vidstg_sources,
)
from training.vidor.rewriting import say_which
from training.vidor.vidstg import Candidates


def last_one(video: VidorVideo, event: Event, split: Split) -> Sequence[float]:
    return [float(number) for number in range(len(event.candidates))]


def rows_of(
    path: Path, tally: Tally, ambiguous: Ambiguous = "keep", margin: float = 0.5
) -> list[Row]:
    return list(
        prepare_rows(
            vidor_sources([path], tally),
            last_one,
            tally,
            tasks=("stvg",),
            ambiguous=ambiguous,
            min_margin=margin,
        )
    )


def test_one_target_a_question(tmp_path: Path) -> None:
    tally = Tally()
    rows = rows_of(vidor_files.write(tmp_path), tally)
    assert [row["target_tid"] for row in rows] == [1, 1]
    assert [row["query"] for row in rows] == [
        "the dog next to the child",
        "the dog holding the ball",
    ]
    assert rows[0]["scores"] == [0.0, 1.0] and rows[0]["segment_seconds"] is None
    assert parse_answer(rows[0]["answer"], "stvg").span_bins == (30, 79)
    assert len({row["id"] for row in rows}) == len(rows)
    report = tally.as_json()
    assert (report["num_questions"], report["num_with_several_candidates"]) == (2, 1)
    assert (report["num_ambiguous"], report["num_bad"]) == (0, 0)


def test_unclear_questions_are_dropped_and_counted(tmp_path: Path) -> None:
    tally = Tally()
    rows = rows_of(vidor_files.write(tmp_path), tally, "drop", margin=2)
    assert [row["query"] for row in rows] == ["the dog holding the ball"]
    assert tally.as_json()["num_dropped"] == 1


def test_unclear_questions_say_which(tmp_path: Path) -> None:
    frames = vidor_files.annotation()["trajectories"]
    for frame in frames:
        frame[1]["bbox"] = box(120, 20, 180, 80)
    tally = Tally()
    path = vidor_files.write(tmp_path, trajectories=frames)
    rows = rows_of(path, tally, "rewrite", margin=2)
    assert rows[0]["query"] == "the right dog next to the child"
    assert "the right dog next to the child" in rows[0]["question"]
    assert tally.as_json()["num_rewritten"] == 1


def test_what_has_no_side_can_not_be_said(tmp_path: Path) -> None:
    video = read_vidor(vidor_files.write(tmp_path))
    beside = events_of(video)[0]  # ten pixels of 200 apart
    assert say_which(beside, 0, video) is None
    narrow = replace(video, width=20)
    said = say_which(beside, 0, narrow)
    assert said is not None and said.query == "the left dog next to the child"
    many = Event(beside.query, "", (*beside.candidates, beside.candidates[1]))
    said = say_which(many, 0, narrow)
    assert said is not None and said.query == "the leftmost dog next to the child"
    assert say_which(many, 1, narrow) is None


@pytest.mark.parametrize(
    ("sentence", "rewritten"),
    [
        ("the dog runs behind the child", "the left dog runs behind the child"),
        ("The dog runs.", "The left dog runs."),
        ("there is a dog behind the child", None),
        ("who bathes the dog?", None),
        ("the child behind the dog", None),
        ("the dogs run", None),
        ("a dog in front of a person", None),
    ],
)
def test_the_side_is_said_of_the_target_only(
    sentence: str, rewritten: str | None, tmp_path: Path
) -> None:
    video = replace(read_vidor(vidor_files.write(tmp_path)), width=20)
    candidates = events_of(video)[0].candidates
    said = say_which(Event(sentence, sentence, candidates), 0, video)
    assert (None if said is None else said.query) == rewritten


def test_sentences_that_can_not_be_rewritten_are_dropped(tmp_path: Path) -> None:
    frames = vidor_files.annotation()["trajectories"]
    for frame in frames:
        frame[1]["bbox"] = box(120, 20, 180, 80)
    annotations = tmp_path / "vidstg.txt"
    said = ["the dog has a ball", "there is a dog behind the child"]
    captions = [{"description": text, "target_id": 1} for text in said]
    row = sentences(captions=captions, questions=[])
    annotations.write_text(json.dumps([row]))
    tally = Tally()
    files = [vidor_files.write(tmp_path, trajectories=frames)]
    rows = list(
        prepare_rows(
            vidstg_sources(annotations, files, tally, "category"),
            last_one,
            tally,
            tasks=("stvg",),
            ambiguous="rewrite",
            min_margin=2,
        )
    )
    assert [row["query"] for row in rows] == ["the right dog has a ball"]
    report = tally.as_json()
    assert (report["num_rewritten"], report["num_dropped"]) == (1, 1)


def test_broken_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "8.json").write_text("{}")
    tally = Tally()
    files = [tmp_path / "8.json", vidor_files.write(tmp_path)]
    assert len(list(vidor_sources(files, tally))) == 2
    (reason,) = tally.bad
    assert "8.json lacks 'width'" in reason


def test_random_targets_are_repeatable(tmp_path: Path) -> None:
    video = read_vidor(vidor_files.write(tmp_path))
    event = events_of(video)[0]
    drawn = [random_scorer(seed)(video, event, (0, 99)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def sentences(**changed: Any) -> dict[str, Any]:
    row = {
        "vid": "7",
        "used_segment": {"begin_fid": 30, "end_fid": 90},
        "temporal_gt": {"begin_fid": 40, "end_fid": 60},
        "captions": [{"description": "the dog has a ball", "target_id": 1}],
        "questions": [{"description": "what is held?", "target_id": 3}],
    }
    return {**row, **changed}


def test_sentences_of_vidstg(tmp_path: Path) -> None:
    annotations = tmp_path / "vidstg.txt"
    rows = [
        sentences(),
        sentences(vid="9"),
        sentences(captions=[{"description": "x", "target_id": 5}]),
        {},
    ]
    annotations.write_text(json.dumps(rows))
    tally = Tally()
    sources = vidstg_sources(annotations, [vidor_files.write(tmp_path)], tally)
    found = list(prepare_rows(sources, last_one, tally, tasks=("svg",), min_margin=0))
    assert [row["query"] for row in found] == ["the dog has a ball", "what is held?"]
    assert [row["target_tid"] for row in found] == [1, 3]
    assert found[0]["segment_seconds"] == [1.0, 3.0]
    first, *_, last = parse_answer(found[0]["answer"], "svg").boxes_bins
    assert (first, last) == (16, 48)  # frames 40 to 59 of 30 to 90
    missing, no_box, no_row = tally.bad
    assert "9.json is missing" in missing and "no box of 5" in no_box
    assert "row 3: 'used_segment' is missing" in no_row


def test_sentences_may_mean_anything_of_their_targets_kind(tmp_path: Path) -> None:
    annotations = tmp_path / "vidstg.txt"
    annotations.write_text(json.dumps([sentences()]))
    rows: dict[str, list[Row]] = {}
    tally = Tally()
    for candidates in get_args(Candidates):
        files = [vidor_files.write(tmp_path)]
        sources = vidstg_sources(annotations, files, tally, candidates)
        prepared = prepare_rows(sources, last_one, tally, tasks=("stvg",), min_margin=0)
        rows[candidates] = list(prepared)
    # Two dogs, one ball: the scorer takes the last dog, which is the one that is meant.
    assert [len(row["scores"]) for row in rows["named"]] == [1, 1]
    assert [len(row["scores"]) for row in rows["category"]] == [2, 1]
    assert [row["target_tid"] for row in rows["category"]] == [1, 3]
    found = tally.as_json()
    assert (found["num_named"], found["num_right"]) == (1, 1)


def test_what_is_hardly_seen_is_no_candidate(tmp_path: Path) -> None:
    annotations = tmp_path / "vidstg.txt"
    annotations.write_text(json.dumps([sentences()]))
    frames = vidor_files.annotation()["trajectories"]
    for frame in frames[40:45]:
        del frame[0]  # the other dog, in 5 of the 20 frames
    files = [vidor_files.write(tmp_path, trajectories=frames)]
    dog, _ = vidstg_sources(annotations, files, Tally(), "category")
    assert [candidate.tid for candidate in dog.event.candidates] == [1]
    assert dog.event.named_tid == 1


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A clip of 30 frames with two squares that do the same."""
    (tmp_path / "videos" / "0").mkdir(parents=True)
    golden_files.write_clip(tmp_path / "videos" / "0" / "7.mp4")
    made = vidor_files.annotation(
        frame_count=30,
        width=96,
        height=64,
        trajectories=vidor_files.annotation()["trajectories"][:30],
        relation_instances=[
            relation(0, "next_to", 2, 5, 20),
            relation(1, "next_to", 2, 10, 30),
        ],
    )
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "7.json").write_text(json.dumps(made))
    yield tmp_path


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *more: str) -> Path:
    out = folder / "train.jsonl"
    given = [
        *("vidor", str(folder / "annotations"), "--videos", str(folder / "videos")),
        *("--out", str(out), "--device", "cpu", "--model"),
        *(str(golden_files.CHECKPOINT), *more),
    ]
    monkeypatch.setattr(sys, "argv", given)
    command.main()
    return out


def test_the_command_asks_the_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = run(monkeypatch, folder)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["task"] for row in rows] == ["stvg", "svg", "elc"]
    assert all(score < 0 for score in rows[0]["scores"])
    best = max(range(2), key=lambda i: rows[0]["scores"][i])
    assert {row["target_tid"] for row in rows} == {best}
    report = json.loads((folder / "train.report.json").read_text())
    assert report["candidates"] == {"2": 1}
    assert sorted(path.name for path in folder.iterdir()) == [
        *("annotations", "train.jsonl", "train.report.json", "videos"),
    ]


def test_a_missing_video_is_counted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "videos" / "0" / "7.mp4").unlink()
    assert run(monkeypatch, folder).read_text() == ""
    report = json.loads((folder / "train.report.json").read_text())
    assert report["num_bad"] == 1 and "7.mp4" in report["bad"][0]


def test_an_empty_folder_is_one_plain_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "annotations" / "7.json").unlink()
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, folder)
    assert caught.value.code == 2
    assert "holds no annotations of VidOR" in capsys.readouterr().err
