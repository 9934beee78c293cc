"""The players of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData


def player(**options: Any) -> gr.Video:
    """A player that shows a file as it is.

    Gradio's own, where there is an FFmpeg on the machine, makes an MP4 of what it is
    told to show unless that is one already: it would take an upload's place, and the
    questions would be about the copy.

    Args:
        options: Of ``gr.Video``.
    """
    made = gr.Video(**options)
    # No subclass: Gradio would write a stub file beside this one.
    made.postprocess = _as_it_is
    return made


def _as_it_is(value: str | Path | None) -> FileData | None:
    """What the browser is told of a file; Gradio checks where it lies."""
    if value is None:
        return None
    return FileData(path=str(value), orig_name=Path(value).name)
