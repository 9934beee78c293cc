"""The synthetic world: what is drawn is what the annotations say."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from stablechat.video import probe, sample_frames
from training.synthetic import language
from training.synthetic.__main__ import main
from training.synthetic.annotations import events_of, make_rows
from training.synthetic.generating import generate
from training.synthetic.language import UNSAID_ACTION, UNSAID_COLOR, UNSAID_SHAPE
from training.synthetic.painter import frame_times, paint_video
from training.synthetic.raster import draw_frames
from training.synthetic.video import SAMPLE_RATE, Format, mix_tones, write_video
from training.synthetic.world import (
    ACTIONS,
    COLORS,
    SHAPES,
    Scenes,
    boxes_of,
    sample_scenes,
    states_at,
)

COUNT = 400
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return sample_scenes(COUNT, torch.Generator().manual_seed(3))


def without_noise(scene: Scenes) -> Scenes:
    fields = {**vars(scene), "noise": torch.zeros_like(scene.noise)}
    return Scenes(**fields)


def times(count: int, frames: int = 50) -> torch.Tensor:
    return torch.linspace(0, 1, frames).expand(count, frames)


def test_the_same_seed_gives_the_same_scenes(scenes: Scenes) -> None:
    again = sample_scenes(COUNT, torch.Generator().manual_seed(3))
    assert torch.equal(scenes.center, again.center)
    other = sample_scenes(COUNT, torch.Generator().manual_seed(4))
    assert not torch.equal(scenes.center, other.center)


def test_objects_stay_inside_the_frame(scenes: Scenes) -> None:
    boxes = boxes_of(scenes, states_at(scenes, times(COUNT)))
    there = scenes.exists.unsqueeze(1).expand(-1, 50, -1)
    assert boxes[there].min() > 0
    assert boxes[there].max() < 1
    # Large enough to be seen at the 108 pixels of the demo model's tower.
    assert ((boxes[..., 2:] - boxes[..., :2])[there] * 108).min() > 4


def test_every_kind_occurs_and_every_scene_has_at_least_two_objects(
    scenes: Scenes,
) -> None:
    assert scenes.exists.sum(1).min() >= 2
    for values, table in (
        (scenes.color, COLORS),
        (scenes.shape, SHAPES),
        (scenes.action, ACTIONS),
    ):
        assert set(values[scenes.exists].tolist()) == set(range(len(table)))


def moved(scenes: Scenes, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """First and last box of the objects that do one thing."""
    boxes = boxes_of(scenes, states_at(scenes, times(COUNT)))
    chosen = scenes.exists & (scenes.action == ACTIONS.index(name))
    return boxes[:, 0][chosen], boxes[:, -1][chosen]


@pytest.mark.parametrize(
    ("action", "axis", "sign"),
    [
        ("move_left", 0, -1),
        ("move_right", 0, 1),
        ("move_up", 1, -1),
        ("move_down", 1, 1),
    ],
)
def test_moves_go_where_they_say(
    scenes: Scenes, action: str, axis: int, sign: int
) -> None:
    first, last = moved(scenes, action)
    way = ((last + last.roll(2, 1)) - (first + first.roll(2, 1)))[:, :2] / 2
    assert (way[:, axis] * sign > 0.1).all()
    assert way[:, 1 - axis].abs().max() < 1e-5


@pytest.mark.parametrize(("action", "grows"), [("grow", True), ("shrink", False)])
def test_sizes_change_as_they_say(scenes: Scenes, action: str, grows: bool) -> None:
    first, last = moved(scenes, action)
    before, after = first[:, 2] - first[:, 0], last[:, 2] - last[:, 0]
    assert ((after > 1.3 * before) if grows else (after < 0.8 * before)).all()


def test_only_blinking_objects_vanish_and_only_while_acting(scenes: Scenes) -> None:
    states = states_at(scenes, times(COUNT, 200))
    hidden = ~states.shown & scenes.exists.unsqueeze(1)
    blinking = (scenes.action == ACTIONS.index("blink")).unsqueeze(1)
    assert hidden.any()
    assert not (hidden & ~(blinking & states.acting)).any()


def test_objects_rest_outside_their_event(scenes: Scenes) -> None:
    states = states_at(scenes, times(COUNT, 100))
    boxes = boxes_of(scenes, states)
    step = (boxes[:, 1:] - boxes[:, :-1]).abs().amax(-1)
    resting = ~(states.acting[:, 1:] | states.acting[:, :-1])
    # An event can start and end between two frames only if it is very short; none is.
    assert step[resting & scenes.exists.unsqueeze(1)].max() < 1e-5


def test_painted_pixels_fill_the_box_and_nothing_else() -> None:
    scene = without_noise(sample_scenes(1, torch.Generator().manual_seed(8)))
    events = events_of(scene, Format(320, 240, Fraction(25), 60, False))
    frames = list(paint_video(scene, 60, 320, 240, seed=0))
    empty = Scenes(**{**vars(scene), "exists": torch.zeros_like(scene.exists)})
    background = next(iter(paint_video(empty, 60, 320, 240, seed=0)))
    difference = np.abs(frames[0].astype(int) - background).max(-1) > 12
    boxes = boxes_of(scene, states_at(scene, frame_times(60)))[0, 0]
    shown = states_at(scene, frame_times(60)).shown[0, 0]
    expected = np.zeros_like(difference)
    for box, there in zip(boxes.tolist(), shown.tolist(), strict=True):
        if there:
            x1, y1, x2, y2 = (
                round(v * s) for v, s in zip(box, (320, 240, 320, 240), strict=True)
            )
            area = difference[y1:y2, x1:x2]
            # Tight: the object touches every side of its box.
            assert area[:3].any() and area[-3:].any()
            assert area[:, :3].any() and area[:, -3:].any()
            expected[max(y1 - 2, 0) : y2 + 2, max(x1 - 2, 0) : x2 + 2] = True
    assert not (difference & ~expected).any()
    assert events


def test_the_bulk_painter_draws_what_the_file_painter_draws() -> None:
    generator = torch.Generator().manual_seed(5)
    scene = sample_scenes(24, generator)
    square = (scene.aspect == 1.0).nonzero()
    scene = without_noise(scene[int(square[0]) : int(square[0]) + 1])
    bulk = draw_frames(scene, frame_times(7), 108, generator)[0]
    files = np.stack(list(paint_video(scene, 7, 108, 108, seed=0)))
    difference = np.abs(bulk.permute(0, 2, 3, 1).numpy() * 255 - files)
    assert difference.mean() < 0.6
    assert np.percentile(difference, 99.5) < 4


def test_sound_is_heard_during_events_only() -> None:
    sound = mix_tones(2.0, [(0.5, 1.0, 440.0)])
    assert len(sound) == 2 * SAMPLE_RATE
    assert np.abs(sound[: SAMPLE_RATE // 2]).max() == 0
    assert np.abs(sound[SAMPLE_RATE // 2 : SAMPLE_RATE]).max() > 0.15
    assert np.abs(sound[SAMPLE_RATE:]).max() < 1e-6


@pytest.mark.parametrize("has_audio", [True, False])
def test_written_videos_are_what_the_format_says(
    tmp_path: Path, has_audio: bool
) -> None:
    layout = Format(202, 118, Fraction(30000, 1001), 40, has_audio)
    frames = (np.full((118, 202, 3), i, np.uint8) for i in range(40))
    write_video(tmp_path / "a.mp4", layout, frames, [(0.2, 0.8, 440.0)])
    info = probe(tmp_path / "a.mp4")
    assert (info.width, info.height, info.num_frames) == (202, 118, 40)
    assert info.fps == layout.fps
    assert info.has_audio is has_audio
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos and what is said of them; only read."""
    folder = tmp_path_factory.mktemp("generated")
    generate(seed=11, count=2, out=folder)
    return folder


def test_annotations_of_generated_videos(generated: Path, tmp_path: Path) -> None:
    for task in ("stvg", "svg", "elc"):
        rows = json.loads((generated / f"{task}.json").read_text())
        assert len(rows) == 2
        for row in rows:
            info = probe(generated / "videos" / row["video_path"])
            meta = row["meta"]
            first, last = meta["time_token"]["<s>"], meta["time_token"]["<e>"]
            assert meta["split"] == [0, info.num_frames - 1]
            assert (meta["width"], meta["height"]) == (info.width, info.height)
            assert 0 <= first < last < info.num_frames
            boxes = meta["spatial_token"]["<bboxes>"]
            assert [int(k) for k in boxes] == list(range(first, last + 1))
            assert all(w > 0 and h > 0 for _, _, w, h in boxes.values())
            assert row["query"]
    texts = json.loads((generated / "descriptions.json").read_text())
    assert all(text["text"].endswith(".") for text in texts)
    again = tmp_path / "again"
    generate(seed=11, count=1, out=again)
    one, other = (
        sample_frames(folder / "videos" / "00000.mp4", 5).frames.astype(int)
        for folder in (generated, again)
    )
    # The scenes are the same; the last bit of a sine may differ from run to run.
    assert np.abs(one - other).mean() < 0.5


def test_several_processes_draw_the_same(generated: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "training.synthetic",
        "--seed",
        "11",
        "--count",
        "2",
    ]
    options = ["--count", "2", "--workers", "2", "--out", str(tmp_path)]
    subprocess.run([*command, *options], cwd=ROOT, check=True, capture_output=True)
    for file in ("stvg.json", "vidstg.json", "vidor/00001.json"):
        one, two = ((folder / file).read_text() for folder in (generated, tmp_path))
        assert one == two
    assert len(list((tmp_path / "videos").iterdir())) == 2


@pytest.mark.parametrize(
    ("count", "out", "words"),
    [
        ("0", "new", "--count must be at least 1"),
        ("1", "file", "can't be written"),  # a file stands where the folder should be
    ],
)
def test_bad_arguments_are_one_plain_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    count: str,
    out: str,
    words: str,
) -> None:
    (tmp_path / "file").write_text("here already")
    command = ["synthetic", "--seed", "1", "--count", count, "--out"]
    monkeypatch.setattr("sys.argv", [*command, str(tmp_path / out)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert words in message and message.count("\n") == 1


def test_a_stopped_run_leaves_no_half_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("training.synthetic.generating.write_video", fail)
    with pytest.raises(KeyboardInterrupt):
        generate(seed=1, count=1, out=tmp_path)
    assert list((tmp_path / "videos").iterdir()) == []


def test_questions_pick_out_exactly_one_object(scenes: Scenes) -> None:
    layout = Format(320, 180, Fraction(25), 100, False)
    asked = 0
    for index in range(60):
        events = events_of(scenes[index : index + 1], layout)
        rows = make_rows("a.mp4", events, layout, random.Random(index))
        if not rows:
            continue
        words = rows["stvg"]["query"].split()
        fits = [
            event
            for event in events
            if _says(words, event.kinds) and _acts(rows["stvg"]["query"], event.kinds)
        ]
        assert len(fits) == 1, rows["stvg"]["query"]
        asked += 1
    assert asked > 50


def _says(words: list[str], kinds: tuple[int, int, int]) -> bool:
    colors = {*COLORS, "violet"} & set(words)
    color = {COLORS[kinds[0]]} | ({"violet"} if COLORS[kinds[0]] == "purple" else set())
    if colors and not colors & color:
        return False
    synonyms = {"disc": "circle", "ball": "circle", "box": "square"}
    synonyms |= {"hoop": "ring", "plus": "cross"}
    shapes = {synonyms.get(word, word) for word in words} & set(SHAPES)
    return not shapes or SHAPES[kinds[1]] in shapes


def _acts(query: str, kinds: tuple[int, int, int]) -> bool:
    verbs = [language._VERBS[action] for action in ACTIONS]
    heard = [
        index
        for index, verb in enumerate(verbs)
        if any(words in query for words in (*verb.finite, *verb.participle))
    ]
    return not heard or kinds[2] in heard


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (["a red ring grows"], "A red ring grows."),
        (["a x", "a y"], "A x while a y."),
        (["a x", "a y", "a z"], "A x, a y and a z."),
    ],
)
def test_describe(captions: list[str], expected: str) -> None:
    assert language.describe(captions) == expected


def test_queries_leave_out_what_is_not_to_be_said() -> None:
    rng = random.Random(0)
    for _ in range(50):
        text = language.query(UNSAID_COLOR, UNSAID_SHAPE, UNSAID_ACTION, rng)
        assert not set(text.split()) & {*COLORS, *SHAPES}
    assert language.caption(1, 0, 0) == "an orange circle moves left"
