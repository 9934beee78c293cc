"""The golden data: a tiny checkpoint, frames, and what the published code computed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from safetensors.torch import load_file, save_file
from torch import Tensor

from stablechat.chat import StableChat
from stablechat.loader import LoadedModel, load_model
from stablechat.model.config import LlavaSTConfig
from stablechat.types import FrameArray

GOLDEN = Path(__file__).parent / "golden"
CHECKPOINT = GOLDEN / "checkpoint"
CASES: dict[str, Any] = json.loads((GOLDEN / "cases.json").read_text())
TOWER_PREFIX = "model.vision_tower."


@cache
def loaded() -> LoadedModel:
    """The golden model on the CPU; nobody may change it."""
    return load_model(CHECKPOINT, device="cpu")


def copy_config() -> LlavaSTConfig:
    """The golden geometry, for whoever changes it or builds from it."""
    config = loaded().model.config
    language = type(config.language).from_dict(config.language.to_dict())
    vision = type(config.vision).from_dict(config.vision.to_dict())
    return replace(config, language=language, vision=vision)


def new_chat() -> StableChat:
    """The golden model behind an empty cache."""
    return StableChat(loaded())


@cache
def video_frames() -> FrameArray:
    """uint8 ``(100, H, W, 3)``."""
    frames: FrameArray = np.load(GOLDEN / "frames.npz")["frames"]
    return frames


def case_frames(name: str) -> FrameArray:
    """The frames that a case is about."""
    frames = video_frames()
    return frames[50:51] if CASES[name]["modality"] == "image" else frames


@cache
def case_tensors(name: str) -> dict[str, Tensor]:
    """What the published code computed for a case."""
    return dict(load_file(GOLDEN / f"{name}.safetensors"))


def copy_checkpoint(folder: Path) -> Path:
    """A checkpoint of the test's own."""
    shutil.copytree(CHECKPOINT, folder)
    return folder


def edit_config(folder: Path, **fields: Any) -> None:
    """Change fields of a copy's ``config.json``."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a copy."""
    return dict(load_file(folder / "model.safetensors"))


def write_weights(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Replace the tensors of a copy."""
    save_file(
        {k: t.contiguous() for k, t in tensors.items()}, folder / "model.safetensors"
    )


def shard(folder: Path, count: int = 3) -> None:
    """Split a copy's weights as large checkpoints are."""
    tensors = read_weights(folder)
    (folder / "model.safetensors").unlink()
    weight_map = {}
    for part in range(count):
        name = f"model-{part + 1:05d}-of-{count:05d}.safetensors"
        keys = sorted(tensors)[part::count]
        save_file({key: tensors[key] for key in keys}, folder / name)
        weight_map.update(dict.fromkeys(keys, name))
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def write_clip(path: Path, count: int = 30, size: tuple[int, int] = (96, 64)) -> Path:
    """A silent H.264 clip at 10 pictures a second, a bright square moving right."""
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            picture = np.full((height, width, 3), 40, np.uint8)
            left = number * (width - 16) // max(count - 1, 1)
            picture[20:36, left : left + 16] = (230, 60, 30)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
