"""``report``: everything about some runs on one page."""

from __future__ import annotations

import argparse
from pathlib import Path

from evaluation.commands.arguments import Commands, count, new_command


def add_to(commands: Commands) -> None:
    """Describe the command."""
    from evaluation.bootstrap import DEFAULT_RESAMPLES

    parser = new_command(
        commands,
        "report",
        "Write report.html, which needs nothing else, and the same as report.md.",
    )
    add = parser.add_argument
    add(
        "--run",
        metavar="NAME=ROWS.jsonl",
        action="append",
        required=True,
        help="a run to tell of; give it again to compare several",
    )
    add("--title", default="StableChat evaluation", help="default: %(default)s")
    add(
        "--cases",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="what cases wrote; again for cases of another run",
    )
    add("--sensitivity", metavar="DIR", type=Path, help="what sensitivity wrote")
    add(
        "--bootstrap",
        metavar="N",
        type=count,
        default=DEFAULT_RESAMPLES,
        help="resamples for the confidence intervals (default: %(default)s)",
    )
    add("--no-captions", action="store_true", help="do not score the captions of ELC")
    add("--out", metavar="DIR", type=Path, required=True, help="folder of the report")


def call(args: argparse.Namespace) -> str:
    """Do it; returns where it is."""
    from evaluation.report.build import build, write
    from evaluation.report.run_result import read_run

    runs = [
        read_run(name, path, captions=not args.no_captions)
        for name, path in _named(args.run)
    ]
    report = build(
        args.title,
        runs,
        args.bootstrap,
        cases=args.cases,
        sensitivity=args.sensitivity,
        out=args.out,
    )
    html_path, markdown_path = write(report, args.out)
    return f"{html_path}\n{markdown_path}"


def _named(values: list[str]) -> list[tuple[str, Path]]:
    from stablechat.errors import InputError

    found = []
    for value in values:
        name, equals, path = value.partition("=")
        if not (name.strip() and equals and path):
            raise InputError(f"--run must be NAME=ROWS.jsonl, got {value!r}.")
        found.append((name.strip(), Path(path)))
    if len({name for name, _ in found}) < len(found):
        raise InputError("Two runs have the same name; give each its own.")
    return found
