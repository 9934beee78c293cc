"""``score``: the metrics of a result file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.commands.arguments import Commands, count, new_command

if TYPE_CHECKING:
    from evaluation.rows import ResultRow


def add_to(commands: Commands) -> None:
    """Describe the command."""
    from evaluation.protocols import PROTOCOLS, TASKS

    parser = new_command(
        commands, "score", "Print the metrics of a result file as JSON."
    )
    add = parser.add_argument
    add("rows", metavar="ROWS.jsonl", type=Path, help="what run wrote")
    add("--task", choices=TASKS, required=True)
    add(
        "--protocol",
        choices=PROTOCOLS,
        default="released",
        help="released (default): equal to the published evaluation code, oddities "
        "included; strict: every row counts; hcstvg, vidstg: those benchmarks' m_vIoU",
    )
    add(
        "--bootstrap",
        metavar="N",
        type=count,
        help="add the 95%% confidence interval of each metric, from N resamples of the "
        "videos (1000 will do), as METRIC_low and METRIC_high",
    )
    add(
        "--captions",
        choices=("auto", "yes", "no"),
        default="auto",
        help="score the captions of ELC rows: auto (default) where pycocoevalcap and "
        "Java are there",
    )


def call(args: argparse.Namespace) -> str:
    """Do it; returns the JSON."""
    from evaluation.protocols import score_table
    from evaluation.rows import read_result_rows

    rows = read_result_rows(args.rows, args.task)
    if not rows:
        print(f"note: {args.rows} holds no rows", file=sys.stderr)
    table = score_table(rows, args.task, args.protocol)
    found = table.metrics()
    if args.task == "elc" and args.captions != "no":
        found.update(_captions(args, rows))
    if args.bootstrap is not None:
        found.update(table.flat_intervals(args.bootstrap))
    return json.dumps(found, indent=1, allow_nan=False)


def _captions(args: argparse.Namespace, rows: Sequence[ResultRow]) -> dict[str, float]:
    from evaluation.captions import CaptionsUnavailableError, caption_metrics
    from evaluation.protocols import reading_of

    try:
        return caption_metrics(rows, reading_of(args.protocol))
    except CaptionsUnavailableError as error:
        if args.captions == "yes":
            raise
        print(f"note: {error}", file=sys.stderr)
        return {}
