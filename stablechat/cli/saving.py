"""Writing what a command found."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stablechat.cli.texts import left_out_notes
from stablechat.folders import made_folder
from stablechat.types import Grounding

if TYPE_CHECKING:
    from render.encoding import ClipOptions
    from render.exports import ExportFormat

Report = Callable[[str, float], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class Saved:
    """What was written.

    Attributes:
        files: By name.
        left_out: What was asked for and can't be had, with the reason.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


NOTHING = Saved()


def save(
    grounding: Grounding,
    folder: Path,
    formats: Sequence[ExportFormat],
    report: Report,
    cancelled: Cancelled,
    *,
    usual: str,
    options: ClipOptions | None = None,
) -> Saved:
    """Write the usual files, as far as there is something to write, and the others.

    Args:
        grounding: The answer.
        folder: Where to; made if it is not there.
        formats: What was asked for.
        report: Called with the stage and its share that is done.
        cancelled: Asked often.
        usual: Names of the formats that the command always writes.
        options: How the clip is cut and drawn, if not as usual.
    """
    from render.encoding import DEFAULT_OPTIONS
    from render.exports import export_answers, formats_named

    with made_folder(folder):
        done = export_answers(
            grounding,
            folder,
            (*formats_named(usual), *formats),
            options=options or DEFAULT_OPTIONS,
            on_progress=lambda fraction: report("draw", fraction),
            cancelled=cancelled,
        )
    asked = {each.name for each in formats}
    left_out = {name: why for name, why in done.left_out.items() if name in asked}
    return Saved(done.files, left_out)


def print_notes(saved: Saved) -> None:
    """Tell on stderr what could not be written."""
    for note in left_out_notes(saved.left_out):
        print(f"note: {note}", file=sys.stderr)
