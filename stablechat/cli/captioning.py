"""``describe --window``: what happens, part by part."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stablechat.cli.asking import stage_of
from stablechat.cli.inputs import config_of, load_chat, span_of
from stablechat.cli.printed import Printed
from stablechat.cli.running import interruptible, shown_progress
from stablechat.cli.texts import file_lines, one_line, to_json
from stablechat.errors import InputError
from stablechat.folders import checked_folder, made_folder
from stablechat.times import format_time
from stablechat.types import Captions

if TYPE_CHECKING:
    from render.exports import CaptionFormat

#: Written into every folder.
_USUAL = "json"


def check_caption_options(args: argparse.Namespace) -> None:
    """Refuse what does not go together with ``--window``, or without it.

    Raises:
        InputError: Something does not.
    """
    if args.window is None:
        for name in ("out", "export"):
            if getattr(args, name) is not None:
                raise InputError(
                    f"--{name} is for what happens part by part; add --window."
                )
        return
    from stablechat.windows import check_windows

    check_windows(args.window, 0.0)
    _formats(args)


def caption(args: argparse.Namespace, path: Path) -> Printed:
    """Say what happens part by part, or answer a question about each part."""
    out = None if args.out is None else checked_folder(args.out)
    formats = _formats(args)
    with interruptible() as cancelled, shown_progress() as report:
        chat = load_chat(args, report, cancelled)
        captions = chat.caption(
            path,
            args.question,
            window_seconds=args.window,
            segment=span_of(args.segment),
            config=config_of(args),
            on_progress=lambda progress: report(stage_of(progress), progress.fraction),
            cancelled=cancelled,
        )
        files = {} if out is None else _save(captions, out, formats)
    if args.json:
        from render.exports import captions_to_dict

        return Printed(to_json(captions_to_dict(captions, files)))
    for note in (*captions.video.warnings, *captions.issues):
        print(f"note: {one_line(note)}", file=sys.stderr)
    return Printed("\n".join(_lines(captions, files)))


def _formats(args: argparse.Namespace) -> tuple[CaptionFormat, ...]:
    from render.exports import caption_formats_named

    if args.export is None:
        return caption_formats_named(_USUAL)
    if args.out is None:
        raise InputError("--export needs a folder to write to; give it with --out.")
    caption_formats_named(args.export)
    return caption_formats_named(f"{_USUAL},{args.export}")


def _save(
    captions: Captions, folder: Path, formats: tuple[CaptionFormat, ...]
) -> Mapping[str, Path]:
    from render.exports import export_captions

    with made_folder(folder):
        return export_captions(captions, folder, formats)


def _lines(captions: Captions, files: Mapping[str, Path]) -> list[str]:
    told = [
        f"{format_time(each.span.start_seconds)} - "
        f"{format_time(each.span.end_seconds)}  {one_line(each.text)}"
        for each in captions.captions
    ]
    told = told or ["The model gave no description."]
    return told + file_lines(files)
