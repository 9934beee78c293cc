"""The clips to click: reading their list, naming them, drawing their thumbnails."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ui.asks import Mode
from ui.i18n import text
from ui.pictures import first_picture

logger = logging.getLogger(__name__)

# The text that stands for a question where there is none.
_PLAIN = "example_describe"

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

    Questions are English in every language: the model is asked in these words.
    """
    return [example.query or text("en", _PLAIN) for example in examples]


def label_styles(examples: Iterable[Example]) -> str:
    """A style sheet that says in Chinese what is done; Gradio does not translate it."""
    rules = []
    for number, example in enumerate(examples, start=1):
        if not example.query:
            place = f":lang(zh) #sc-examples .gallery-item:nth-of-type({number})>div"
            words = json.dumps(text("zh", _PLAIN), ensure_ascii=False)
            # Gradio makes the rules of style.css weigh more than they are written.
            rules.append(f"{place}{{font-size:0!important}}")
            rules.append(f"{place}::after{{content:{words};font-size:.85rem}}")
    return f"<style>{''.join(rules)}</style>" if rules else ""


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
