"""The HTML of the form for corrections: two handles for the time."""

from __future__ import annotations

from html import escape

from stablechat.times import format_time
from stablechat.types import Grounding, TimeSpan, VideoInfo
from ui.i18n import Language, text


def trimmer(language: Language, answer: Grounding, span: TimeSpan) -> str:
    """Two handles on a line; ``page.js`` writes their times into the fields."""
    handles = "".join(
        _handle(text(language, f"fix_{key}"), f"sc-fix-{key}", seconds, answer.video)
        for key, seconds in (("start", span.start_seconds), ("end", span.end_seconds))
    )
    hint = escape(text(language, "fix_hint"))
    return f'<p class="sc-hint">{hint}</p><div class="sc-trim">{handles}</div>'


def _handle(name: str, field: str, seconds: float, video: VideoInfo) -> str:
    # An arrow key moves by one picture.
    return (
        f'<input type="range" class="sc-handle" data-writes="{field}" min="0" '
        f'max="{video.duration_seconds:.6f}" step="{float(1 / video.fps):.6f}" '
        f'value="{seconds:.6f}" aria-label="{escape(name)}" '
        f'aria-valuetext="{format_time(seconds, hours=True)}">'
    )
