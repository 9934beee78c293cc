"""The clips to click: reading their list, naming them, drawing their thumbnails."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ui.asks import Mode
from ui.pictures import first_picture

logger = logging.getLogger(__name__)

#: Twice the size on the page, for screens with small pixels.
_THUMBNAIL_SIZE = (144, 96)


@dataclass(frozen=True)
class Example:
    """One example to click."""

    video: Path
    query: str
    mode: Mode


def read_examples(folder: Path) -> list[Example]:
    """Read ``examples.json``; entries that can't be used are left out.

    Args:
        folder: Where it is, with its videos.
    """
    index = folder / "examples.json"
    if not index.is_file():
        return []
    examples = []
    for entry in json.loads(index.read_text(encoding="utf-8")):
        video = folder / entry["video"]
        mode = entry.get("mode", "ground")
        if video.is_file() and mode in ("ground", "describe"):
            examples.append(Example(video, entry.get("query") or "", mode))
        else:
            logger.warning("The example %s can't be used.", entry)
    return examples


def example_labels(examples: Iterable[Example]) -> list[str]:
    """What the examples are called on the page: their question, or what is done.

    English in every language, as the questions are: Gradio does not translate them.
    """
    return [example.query or "Describe the video" for example in examples]


def thumbnail_styles(examples: Iterable[Example]) -> str:
    """A style sheet that puts a picture of its video before each example's label.

    Gradio's labelled examples are buttons with nothing but text.
    """
    examples = list(examples)
    videos = {example.video for example in examples}
    pictures = {video: first_picture(video, *_THUMBNAIL_SIZE) for video in videos}
    rules = []
    for number, example in enumerate(examples, start=1):
        picture = pictures[example.video]
        if picture is not None:
            place = f"#sc-examples .gallery-item:nth-of-type({number})::before"
            rules.append(f"{place}{{background-image:url({picture})}}")
    return f"<style>{''.join(rules)}</style>" if rules else ""
