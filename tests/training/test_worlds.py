"""The harder worlds: crowds, shaking cameras, blur, bars, small things."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stablechat.video import probe
from training.demo.spoiling import spoil
from training.synthetic.generating import generate
from training.synthetic.painter import frame_times, paint_video
from training.synthetic.raster import draw_frames
from training.synthetic.world import (
    SHAPES,
    Scenes,
    boxes_of,
    sample_scenes,
    states_at,
)
from training.synthetic.worlds import WORLDS
from training.vidor.annotations import read_vidor
from training.vidor.vidstg import Part, events_of_part, read_parts


def without_noise(scene: Scenes) -> Scenes:
    return Scenes(**{**vars(scene), "noise": torch.zeros_like(scene.noise)})


def times(count: int, frames: int = 50) -> torch.Tensor:
    return torch.linspace(0, 1, frames).expand(count, frames)


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_every_world_keeps_its_objects_in_the_picture(name: str) -> None:
    drawn = sample_scenes(64, torch.Generator().manual_seed(6), world=WORLDS[name])
    boxes = boxes_of(drawn, states_at(drawn, times(64)))
    there = boxes[drawn.exists.unsqueeze(1).expand(-1, 50, -1)]
    assert (there[:, 2:] > there[:, :2]).all()
    corner, size = drawn.window[:, None, None].split(2, -1)
    assert (boxes[..., :2] >= corner).all()
    assert (boxes[..., 2:] <= corner + size + 1e-6).all()


def test_small_objects_are_under_a_hundredth_of_the_picture() -> None:
    drawn = sample_scenes(200, torch.Generator().manual_seed(6), world=WORLDS["small"])
    low, high = boxes_of(drawn, states_at(drawn, torch.zeros(200, 1))).split(2, -1)
    assert float((high - low).prod(-1).max()) < 0.01


def test_in_a_crowd_things_of_one_kind_hide_each_other() -> None:
    crowd = WORLDS["crowded"]
    drawn = sample_scenes(100, torch.Generator().manual_seed(6), world=crowd)
    same = drawn.shape.unsqueeze(1) == drawn.shape.unsqueeze(2)
    pairs = (same & drawn.exists.unsqueeze(1) & drawn.exists.unsqueeze(2)).tril(-1)
    assert (pairs.flatten(1).sum(1) > 0).float().mean() > 0.9
    boxes = boxes_of(drawn, states_at(drawn, times(100)))
    low = torch.maximum(boxes[:, :, :, None, :2], boxes[:, :, None, :, :2])
    high = torch.minimum(boxes[:, :, :, None, 2:], boxes[:, :, None, :, 2:])
    both = drawn.exists[:, None, :, None] & drawn.exists[:, None, None]
    crossing = ((high > low).all(-1) & both).tril(-1)
    assert (crossing.flatten(1).sum(1) > 0).float().mean() > 0.5


@pytest.mark.parametrize("name", ["crowded", "letterbox"])
def test_both_painters_shake_blur_and_letterbox_alike(name: str) -> None:
    generator = torch.Generator().manual_seed(5)
    scene = without_noise(sample_scenes(1, generator, world=WORLDS[name]))
    # A square, as only there the two see the same edges.
    scene = Scenes(**{**vars(scene), "aspect": torch.ones(1)})
    bulk = draw_frames(scene, frame_times(7), 108, generator)[0]
    files = np.stack(list(paint_video(scene, 7, 108, 108, seed=0)))
    difference = np.abs(bulk.permute(0, 2, 3, 1).numpy() * 255 - files)
    assert difference.mean() < 0.8
    assert np.percentile(difference, 99) < 8


def test_a_moving_object_is_blurred_and_a_resting_one_is_not() -> None:
    scene = without_noise(sample_scenes(1, torch.Generator().manual_seed(8)))
    exposed = Scenes(**{**vars(scene), "exposure": torch.tensor([0.02])})
    sharp = np.stack(list(paint_video(scene, 30, 320, 240, seed=0)))
    blurred = np.stack(list(paint_video(exposed, 30, 320, 240, seed=0)))
    acting = states_at(scene, frame_times(30)).acting[0].any(-1).numpy()
    changed = (sharp != blurred).reshape(30, -1).any(1)
    assert changed[acting].any()
    assert not changed[:1].any()


def test_batches_of_different_worlds_go_together() -> None:
    generator = torch.Generator().manual_seed(1)
    batches = [sample_scenes(3, generator, world=WORLDS[n]) for n in WORLDS]
    scenes = Scenes.together(batches)
    assert len(scenes) == 3 * len(WORLDS)
    assert scenes.color.shape[1] == 6
    assert not scenes.exists[:3, 4:].any()
    assert torch.equal(scenes.exists[:3, :4], batches[0].exists)


def test_vidor_files_say_what_the_other_annotations_say(tmp_path: Path) -> None:
    generate(3, 2, tmp_path, WORLDS["crowded"])
    parts = [p for p in read_parts(tmp_path / "vidstg.json")]
    assert parts and not any(isinstance(p, Exception) for p in parts)
    for part in parts:
        assert isinstance(part, Part)
        video = read_vidor(tmp_path / "vidor" / f"{part.video_id}.json")
        (event,) = events_of_part(part, video)
        (target,) = event.candidates
        assert len(target.boxes) == part.moment[1] - part.moment[0] + 1
        assert video.categories[target.tid] in SHAPES
        assert probe(tmp_path / "videos" / video.video_path).num_frames == (
            video.num_frames
        )
    rows = json.loads((tmp_path / "stvg.json").read_text())
    first = rows[0]["meta"]
    same = [
        p
        for p in parts
        if isinstance(p, Part)
        and p.video_id == "00000"
        and p.moment == (first["time_token"]["<s>"], first["time_token"]["<e>"])
    ]
    assert same


def test_a_low_bitrate_keeps_the_picture_and_loses_its_detail() -> None:
    scenes = sample_scenes(40, torch.Generator().manual_seed(2))
    frames = draw_frames(scenes, times(40, 1), 108, torch.Generator().manual_seed(2))
    torch.manual_seed(0)
    spoilt = spoil(frames)
    changed = (spoilt != frames).flatten(1).any(1)
    assert 4 <= int(changed.sum()) <= 24
    error = (spoilt - frames).abs().flatten(1).mean(1)[changed]
    assert 0 < float(error.min()) and float(error.max()) < 0.1
