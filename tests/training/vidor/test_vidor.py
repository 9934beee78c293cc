"""From VidOR's files to questions with one target each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import vidor_files
from vidor_files import NUM_FRAMES, box, relation

from stablechat.errors import InputError
from stablechat.parser import parse_answer
from training.vidor.annotations import read_vidor
from training.vidor.conversations import converse
from training.vidor.events import events_of


def test_a_file_is_read(tmp_path: Path) -> None:
    video = read_vidor(vidor_files.write(tmp_path))
    assert (video.video_path, video.num_frames, video.fps) == ("0/7.mp4", 100, 30)
    assert video.categories[3] == "ball/sports_ball"
    assert video.tracks[1][20] == (12.0, 20.0, 70.0, 80.0)
    # The end in the file is one behind the last frame.
    held = video.relations[2]
    assert (held.predicate, held.first_frame, held.last_frame) == ("hold", 40, 59)


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"width": 0}, "the size must be positive"),
    ({"frame_count": 99}, "99 frames, but boxes of 100"),
    ({"relation_instances": [relation(0, "hold", 9, 0, 9)]}, "about 9, which is no"),
    ({"relation_instances": [relation(0, "hold", 1, 90, 101)]}, "does not lie"),
    ({"relation_instances": [relation(0, "hold", 1, 50, 50)]}, "does not lie"),
    ({"relation_instances": [{}]}, "lacks 'subject_tid'"),
    ({"video_path": "../7.mp4"}, "must stay in the folder"),
    (
        {"trajectories": [[{"tid": 8, "bbox": box(0, 0, 1, 1)}]] * NUM_FRAMES},
        "frame 0 has a box of 8",
    ),
    (
        {"trajectories": [[{"tid": 0, "bbox": box(9, 0, 1, 1)}]] * NUM_FRAMES},
        "corners in order",
    ),
]


@pytest.mark.parametrize("changed, message", BROKEN)
def test_a_broken_file_says_what_is_wrong(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    path = vidor_files.write(tmp_path, **changed)
    with pytest.raises(InputError, match=message) as caught:
        read_vidor(path)
    assert str(path) in str(caught.value)


def test_what_a_sentence_fits_are_its_candidates(tmp_path: Path) -> None:
    beside, held = events_of(read_vidor(vidor_files.write(tmp_path)))
    assert beside.query == "the dog next to the child"
    assert beside.caption == "a dog is next to a child"
    assert [(c.tid, c.first_frame, c.last_frame) for c in beside.candidates] == [
        (0, 10, 49),
        (1, 30, 79),
    ]
    assert (held.query, len(held.candidates)) == ("the dog holding the ball", 1)


def test_stretches_that_touch_are_one(tmp_path: Path) -> None:
    relations = [
        relation(0, "hold", 3, 10, 40),
        relation(0, "hold", 3, 30, 60),
        relation(0, "hold", 3, 80, 95),
        relation(0, "hold", 3, 97, 99),  # too short
    ]
    path = vidor_files.write(tmp_path, relation_instances=relations)
    (event,) = events_of(read_vidor(path))
    spans = [(c.first_frame, c.last_frame) for c in event.candidates]
    assert spans == [(10, 59), (80, 94)]
    assert set(event.candidates[0].boxes) == set(range(10, 60))


def test_what_is_hardly_seen_is_no_candidate(tmp_path: Path) -> None:
    frames = vidor_files.annotation()["trajectories"]
    for frame in range(40, 50):
        frames[frame] = [entry for entry in frames[frame] if entry["tid"] != 1]
    video = read_vidor(vidor_files.write(tmp_path, trajectories=frames))
    assert [len(event.candidates) for event in events_of(video)] == [1]


def test_an_answer_is_read_back_as_the_truth(tmp_path: Path) -> None:
    video = read_vidor(vidor_files.write(tmp_path))
    _, event = events_of(video)
    (candidate,) = event.candidates
    said = {
        task: converse(video, event, candidate, task) for task in ("stvg", "svg", "elc")
    }
    for task, conversation in said.items():
        parsed = parse_answer(conversation.answer, task)  # type: ignore[arg-type]
        assert list(parsed.boxes_bins) == list(range(40, 60)), task
        x1, y1, x2, y2 = candidate.boxes[45]
        assert parsed.boxes_bins[45] == pytest.approx(
            (x1 / 200 * 99, y1 / 100 * 99, x2 / 200 * 99, y2 / 100 * 99), abs=0.6
        )
    assert parse_answer(said["stvg"].answer, "stvg").span_bins == (40, 59)
    assert "<t0.404>" in said["svg"].question and "<t0.596>" in said["svg"].question
    assert said["elc"].answer.startswith("Ends in <t0.596>, a dog is holding a ball. ")
    assert parse_answer(said["elc"].answer, "elc").prose == "a dog is holding a ball"


def test_a_task_without_questions(tmp_path: Path) -> None:
    video = read_vidor(vidor_files.write(tmp_path))
    event = events_of(video)[0]
    with pytest.raises(InputError, match="no questions of task 'rec'"):
        converse(video, event, event.candidates[0], "rec")
