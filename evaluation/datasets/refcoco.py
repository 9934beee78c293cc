"""RefCOCO, RefCOCO+ and RefCOCOg: where something is in a picture (REC).

The format is that of LLaVA-ST and MDETR: ``{"images": [{"id", "file_name", "width",
"height", "caption"}], "annotations": [{"id", "bbox": [x, y, w, h]}]}``, the two lists
in the same order with the same ids. The original pickles are not read: a pickle runs
code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.datasets.loading import Loaded, read_rows
from evaluation.datasets.sample import Sample
from evaluation.datasets.values import (
    checked_path,
    checked_size,
    checked_text,
    read_object,
    xywh_box,
)
from stablechat.errors import InputError
from stablechat.prompts import rec_prompt
from stablechat.types import Task

_IMAGE_MARK = re.compile(r"\s*<image>\s*")
_UNIT_DECIMALS = 3


def load(path: Path, task: Task, extra: Path | None = None) -> Loaded:
    """Read an annotation file; ``extra`` is not used.

    Raises:
        InputError: It can't be read, or is something else.
    """
    content = read_object(path)
    images, boxes = (content.get(name) for name in ("images", "annotations"))
    if not isinstance(images, list) or not isinstance(boxes, list):
        raise InputError(f"{path} must hold the lists images and annotations.")
    if len(images) != len(boxes):
        raise InputError(
            f"{path} holds {len(images)} images and {len(boxes)} annotations; there "
            "must be one for each."
        )
    return read_rows(zip(images, boxes, strict=True), _read_pair)


def _read_pair(index: int, pair: tuple[Any, Any]) -> list[Sample]:
    image, annotation = pair
    if image["id"] != annotation["id"]:
        raise ValueError(
            f"image {image['id']} stands beside the box of image {annotation['id']}"
        )
    width, height = checked_size(image["width"], image["height"])
    query = checked_text(image["caption"], "caption")
    # A caption that is a whole question already says where the picture goes.
    bare = _IMAGE_MARK.sub(" ", query).strip()
    asked = bare if _IMAGE_MARK.search(query) else rec_prompt(query)
    return [
        Sample(
            index=index,
            task="rec",
            video_path=checked_path(image["file_name"], "file_name"),
            query=bare,
            prompt=asked,
            width=width,
            height=height,
            true_unit=_unit_box(annotation, width, height),
        )
    ]


def _unit_box(
    annotation: Mapping[str, Any], width: int, height: int
) -> tuple[float, ...]:
    """The box as upstream's evaluation has it: three decimals, in the picture."""
    box = xywh_box(annotation["bbox"])
    if box[0] >= width or box[1] >= height or box[2] <= 0 or box[3] <= 0:
        raise ValueError(
            f"the box {annotation['bbox']} lies outside the picture of "
            f"{width}x{height} pixels"
        )
    sizes = (width, height, width, height)
    shares = (
        round(value / size, _UNIT_DECIMALS)
        for value, size in zip(box, sizes, strict=True)
    )
    return tuple(min(max(share, 0.0), 1.0) for share in shares)
