"""The shipped model really grounds: end to end, from video files, on the CPU."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stablechat import StableChat
from stablechat.__main__ import main as stablechat_main
from stablechat.video import probe
from training.calibrate.worlds import draw_videos
from training.synthetic.annotations import events_of
from training.synthetic.examples import WISHES, Wish, find_scene

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
FULL_LENGTH = 0.35  # seconds off at either end


@pytest.fixture(scope="module")
def chat() -> StableChat:
    return StableChat.from_pretrained()


def truth(wish: Wish) -> tuple[float, float, dict[str, list[float]]]:
    """Start and end in seconds, and the boxes of the wished event."""
    seed = WISHES.index(wish)
    scene = find_scene(wish, torch.Generator().manual_seed(seed))
    for event in events_of(scene, wish.layout):
        words = (event.kinds[1], event.kinds[2])
        if words == _kind_of(wish):
            fps = float(wish.layout.fps)
            return event.first_frame / fps, event.last_frame / fps, event.boxes
    raise AssertionError(wish.name)


def _kind_of(wish: Wish) -> tuple[int, int]:
    from training.synthetic.world import ACTIONS, SHAPES

    return SHAPES.index(wish.kind[1]), ACTIONS.index(wish.kind[2])


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]))
    return shared / (areas - shared)


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: wish.name)
def test_examples_are_found_in_time_and_place(chat: StableChat, wish: Wish) -> None:
    query = next(q for mode, q in wish.entries if mode == "ground")
    grounding = chat.ground(EXAMPLES / f"{wish.name}.mp4", query)
    start, end, boxes = truth(wish)
    assert grounding.span is not None and grounding.tube is not None
    assert grounding.span.start_seconds == pytest.approx(start, abs=FULL_LENGTH)
    assert grounding.span.end_seconds == pytest.approx(end, abs=FULL_LENGTH)
    assert grounding.generation.finish_reason == "stop"
    assert grounding.issues == ()
    ious = []
    for frame, (x, y, w, h) in boxes.items():
        found = grounding.tube.at(int(frame) / float(wish.layout.fps))
        if found is not None:
            ious.append(overlap(found, np.array([x, y, x + w, y + h])))
    assert len(ious) > 0.8 * len(boxes)
    assert np.mean(ious) > 0.7


def test_descriptions_name_what_happens(chat: StableChat) -> None:
    text = chat.describe(EXAMPLES / "red_circle.mp4").text
    assert "red circle moves left" in text


def test_time_only_and_given_span(chat: StableChat) -> None:
    video = EXAMPLES / "red_circle.mp4"
    when = chat.ground(video, "the red circle moving left", task="tvg")
    assert when.span is not None and when.tube is None
    where = chat.ground(video, "the red circle", task="svg", span=when.span)
    assert where.tube is not None
    assert where.span == when.span


def test_still_pictures(chat: StableChat) -> None:
    wish = WISHES[0]
    start, _, boxes = truth(wish)
    found = chat.ground(
        EXAMPLES / "red_circle.mp4", "the red circle", "rec", at_seconds=start + 0.01
    )
    assert found.tube is not None
    x, y, w, h = next(iter(boxes.values()))
    assert overlap(found.tube.xyxy[0], np.array([x, y, x + w, y + h])) > 0.7


def test_region_questions_name_the_event_and_its_end(chat: StableChat) -> None:
    wish = WISHES[1]
    start, end, boxes = truth(wish)
    x, y, w, h = next(iter(boxes.values()))
    found = chat.ground(
        EXAMPLES / f"{wish.name}.mp4",
        "",
        "elc",
        region=(x, y, x + w, y + h),
        start_seconds=start,
    )
    assert "blue square grows" in found.prose
    assert found.span is not None
    assert found.span.end_seconds == pytest.approx(end, abs=0.5)


def test_from_a_file_and_a_sentence_to_a_finished_clip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = EXAMPLES / "red_circle.mp4"
    arguments = ["ground", str(video), "the red circle moving left"]
    code = stablechat_main([*arguments, "--out", str(tmp_path), "--json"])
    assert code == 0
    answer = json.loads(capsys.readouterr().out)
    saved = json.loads((tmp_path / "red_circle_grounding.json").read_text())
    assert saved["span"] == answer["span"]
    clip = probe(tmp_path / "red_circle_clip.mp4")
    assert clip.has_audio and clip.codec == "h264"
    assert clip.duration_seconds == pytest.approx(
        answer["span"]["duration_seconds"], abs=0.1
    )
    again = tmp_path / "again"
    saved_path = tmp_path / "red_circle_grounding.json"
    assert (
        stablechat_main(["clip", str(video), str(saved_path), "--out", str(again)]) == 0
    )
    assert probe(next(again.glob("*.mp4"))).num_frames == clip.num_frames


@pytest.mark.parametrize("world", ["small", "crowded"])
def test_harder_worlds_are_no_other_worlds(
    chat: StableChat, tmp_path: Path, world: str
) -> None:
    (drawn,) = draw_videos(5, [0], tmp_path, world)
    asked = next(asked for asked in drawn.asked if asked.event is not None)
    assert asked.event is not None
    found = chat.ground(drawn.path, asked.query)
    assert found.tube is not None
    ious = []
    for frame, (x, y, w, h) in asked.event.boxes.items():
        box = found.tube.at(int(frame) / float(drawn.layout.fps))
        ious.append(
            0.0 if box is None else overlap(box, np.array([x, y, x + w, y + h]))
        )
    assert np.mean(ious) > 0.5
