"""``breakdown``: metrics by duration, object area and query length."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from evaluation.commands.arguments import Commands, new_command


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


def call(args: argparse.Namespace) -> str:
    """Do it; returns the JSON."""
    from evaluation.breakdown import break_down
    from evaluation.rows import read_result_rows

    rows = read_result_rows(args.rows, args.task)
    found = break_down(rows, args.task, args.protocol)
    return json.dumps(found.as_dict(), indent=1, allow_nan=False)
