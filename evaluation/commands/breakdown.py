"""``breakdown``: metrics by duration, object area and query length."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.commands.arguments import Commands, new_command

if TYPE_CHECKING:
    from evaluation.breakdown import Breakdown


def add_to(commands: Commands) -> None:
    """Describe the command."""
    from evaluation.predictions import TUBE_TASKS

    parser = new_command(
        commands,
        "breakdown",
        "Print, as JSON, how good answers are by duration of the event, area of the "
        "object and length of the query.",
    )
    add = parser.add_argument
    add("rows", metavar="ROWS.jsonl", type=Path, help="what run wrote")
    add("--task", choices=TUBE_TASKS, required=True)
    add(
        "--protocol",
        choices=("strict", "released"),
        default="strict",
        help="how answers are read (default: %(default)s); every row counts",
    )
    add(
        "--out",
        metavar="DIR",
        type=Path,
        help="write breakdown.json there and, where the task has times, the scatter of "
        "tIoU and sIoU and the histogram of tIoU",
    )


def call(args: argparse.Namespace) -> str:
    """Do it; returns the JSON, or where it is."""
    from evaluation.breakdown import break_down
    from evaluation.rows import read_result_rows

    rows = read_result_rows(args.rows, args.task)
    found = break_down(rows, args.task, args.protocol)
    if args.out is not None:
        return "\n".join(map(str, _write(found, args.out)))
    return json.dumps(found.as_dict(), indent=1, allow_nan=False)


def _write(found: Breakdown, folder: Path) -> list[Path]:
    from evaluation.figures import breakdown_figures
    from evaluation.files import write_file
    from render.exports import write_json

    pictures = breakdown_figures(found)
    paths = [folder / "breakdown.json", *(folder / f"{name}.png" for name in pictures)]
    for path, content in zip(paths[1:], pictures.values(), strict=True):
        write_file(path, content)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(paths[0], found.as_dict())
    return paths
