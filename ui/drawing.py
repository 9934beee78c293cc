"""A picture of a video to draw a box on, and the line under a form. HTML, escaped."""

from __future__ import annotations

from html import escape

from stablechat.times import format_time
from stablechat.types import FloatArray, VideoInfo
from ui.i18n import Language, text
from ui.links import file_url
from ui.pictures import FrameFile


def canvas(
    language: Language,
    frame: FrameFile,
    video: VideoInfo,
    box: FloatArray | None,
    *,
    writes: str,
) -> str:
    """A picture on which a box can be drawn; ``page.js`` writes it into the fields.

    Args:
        language: Of the words.
        frame: The picture, without a box.
        video: Its size is what the box is in.
        box: xyxy in pixels, or None where there is none yet.
        writes: What the ids of the fields for its sides begin with.
    """
    time = format_time(frame.time_seconds, hours=True)
    name = escape(text(language, "fix_picture", time=time))
    return (
        f'<p class="sc-hint">{escape(text(language, "draw_hint"))}</p>'
        f'<div class="sc-canvas" data-writes="{writes}" data-width="{video.width}" '
        f'data-height="{video.height}"><img src="{escape(file_url(frame.path))}" '
        f'alt="{name}" draggable="false"><span class="sc-rect" '
        f'style="{_rectangle(video, box)}"></span></div>'
    )


def _rectangle(video: VideoInfo, box: FloatArray | None) -> str:
    if box is None:
        return "display:none"
    x1, y1, x2, y2 = box.tolist()
    return (
        f"left:{x1 / video.width:.4%};top:{y1 / video.height:.4%};"
        f"width:{(x2 - x1) / video.width:.4%};height:{(y2 - y1) / video.height:.4%}"
    )


def line(message: str, *, alert: bool = False) -> str:
    """What is said under a form's buttons.

    Args:
        message: One sentence; may be empty.
        alert: Whether something is wrong.
    """
    if not message:
        return ""
    if alert:
        return f'<p class="sc-problem" role="alert">{escape(message)}</p>'
    return f'<p class="sc-hint" role="status">{escape(message)}</p>'
