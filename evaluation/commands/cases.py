"""``cases``: videos and contact sheets of single answers beside their truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from evaluation.commands.arguments import Commands, new_command

_DEFAULT_COUNT = 3


def add_to(commands: Commands) -> None:
    """Describe the command."""
    from evaluation.predictions import TUBE_TASKS

    parser = new_command(
        commands,
        "cases",
        "Draw single answers (red) beside their truth (green): a video and a contact "
        "sheet each, and cases.json with what went wrong.",
    )
    add = parser.add_argument
    add("rows", metavar="ROWS.jsonl", type=Path, help="what run wrote")
    add("--task", choices=TUBE_TASKS, required=True)
    add("--videos", metavar="DIR", type=Path, required=True, help="their videos")
    add(
        "--row",
        metavar="I",
        type=int,
        nargs="+",
        default=[],
        help="numbers (index) of rows to draw",
    )
    for name in ("best", "worst"):
        add(
            f"--{name}",
            metavar="N",
            type=int,
            help=f"the {name} N rows (default: {_DEFAULT_COUNT}, or none with --row)",
        )
    add("--no-video", action="store_true", help="contact sheets only")
    add("--out", metavar="DIR", type=Path, required=True, help="folder of the pictures")


def call(args: argparse.Namespace) -> str:
    """Do it; returns the summary."""
    from evaluation.cases.case import choose_cases, count_tags, make_cases
    from evaluation.cases.writing import write_cases
    from evaluation.rows import read_result_rows
    from stablechat.errors import InputError

    if not args.videos.is_dir():
        raise InputError(f"{args.videos} is not a folder; give --videos the videos'.")
    default = 0 if args.row else _DEFAULT_COUNT
    best, worst = (default if n is None else n for n in (args.best, args.worst))
    if min(best, worst) < 0:
        raise InputError("--best and --worst must be 0 or more.")
    cases = make_cases(read_result_rows(args.rows, args.task), args.task)
    chosen = choose_cases(cases, args.row, best, worst)
    summary = {
        "rows": args.rows.name, "num_rows": len(cases), "tags": count_tags(cases)
    }  # fmt: skip
    skipped = write_cases(chosen, args.videos, args.out, summary, not args.no_video)
    told = "".join(f"\n{reason}" for reason in skipped)
    return f"{args.out}: {len(chosen) - len(skipped)} of {len(cases)} rows drawn{told}"
