"""Make training conversations of VidOR, one target each.

    python -m training.vidor ANNOTATIONS --videos DIR --out train.jsonl \\
        [--vidstg train_annotations.json] [--model M] [--ambiguous drop]

``ANNOTATIONS`` is the folder of VidOR's files, in any depth. Where several things fit a
question, the model chooses the one whose answer it finds likeliest; ``--target random``
takes any, for comparison. What could not be used is counted and listed in
``train.report.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import get_args

from render.exports import write_json
from stablechat.errors import InputError, StableChatError
from stablechat.loader import load_model
from training.vidor.conversations import TASKS
from training.vidor.prepare import (
    Row,
    Scorer,
    ScoringChat,
    Tally,
    likelihood_scorer,
    prepare_rows,
    random_scorer,
    vidor_sources,
    vidstg_sources,
)
from training.vidor.selection import DEFAULT_MARGIN
from training.vidor.vidstg import Candidates

_BAD_INPUT = 2
_INTERRUPTED = 130


def prepare(args: argparse.Namespace) -> None:
    """Write the conversations, then the report.

    Raises:
        StableChatError: Nothing can be made of what was given.
    """
    files = sorted(args.annotations.rglob("*.json"))
    if not files:
        raise InputError(f"{args.annotations} holds no annotations of VidOR (*.json).")
    tally = Tally()
    if args.vidstg is None:
        sources = vidor_sources(files, tally)
    else:
        sources = vidstg_sources(args.vidstg, files, tally, args.candidates)
    rows = prepare_rows(
        islice(sources, args.limit),
        _scorer(args),
        tally,
        tasks=args.task or TASKS,
        ambiguous=args.ambiguous,
        min_margin=args.margin if args.target == "likeliest" else 0.0,
    )
    _write(_counted(rows), args.out)
    write_json(args.out.with_suffix(".report.json"), tally.as_json())
    summary = {key: value for key, value in tally.as_json().items() if key != "bad"}
    print(json.dumps(summary))


def _scorer(args: argparse.Namespace) -> Scorer:
    if args.target == "random":
        return random_scorer(args.seed)
    chat = ScoringChat(load_model(args.model, args.device))
    return likelihood_scorer(chat, args.videos)


def _counted(rows: Iterable[Row]) -> Iterator[Row]:
    for number, row in enumerate(rows, 1):
        print(f"\r{number} conversations", end="", file=sys.stderr, flush=True)
        yield row
    print(file=sys.stderr)


def _write(rows: Iterable[Row], out: Path) -> None:
    """All lines or none: a file that is there is whole."""
    part = out.with_suffix(out.suffix + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.vidor",
        description="Make training conversations of VidOR, one target each.",
    )
    add = parser.add_argument
    add("annotations", type=Path, metavar="ANNOTATIONS", help="folder of VidOR's files")
    add("--videos", type=Path, required=True, metavar="DIR", help="folder of videos")
    add("--out", type=Path, required=True, metavar="FILE.jsonl")
    add("--vidstg", type=Path, metavar="FILE", help="ask VidSTG's sentences instead")
    add(
        "--candidates",
        choices=get_args(Candidates),
        default="named",
        help="with --vidstg: the target that a sentence names (default), or all of its "
        "category, so that one must be chosen",
    )
    add("--task", action="append", choices=TASKS, help="default: all three")
    add("--target", choices=("likeliest", "random"), default="likeliest")
    add("--ambiguous", choices=("keep", "drop", "rewrite"), default="keep")
    add(
        "--margin",
        type=float,
        default=DEFAULT_MARGIN,
        help="a smaller lead is ambiguous, in nats a token (default: %(default)s)",
    )
    add("--model", help="folder or hub id; default: the demo model")
    add("--device", help="default: the best there is")
    add("--seed", type=int, default=0, help="of random targets")
    add("--limit", type=int, metavar="N", help="the first N questions only")
    return parser


def main() -> None:
    """Entry point."""
    parser = _parser()
    args = parser.parse_args()
    try:
        prepare(args)
    except (StableChatError, OSError) as error:
        parser.exit(_BAD_INPUT, f"error: {error}\n")
    except KeyboardInterrupt:
        parser.exit(_INTERRUPTED, "\nstopped\n")


if __name__ == "__main__":
    main()
