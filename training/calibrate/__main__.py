"""Measure how sure the model is, and what that is worth.

    python -m training.calibrate ask --seed 20261201 --count 40 --out fit.jsonl
    python -m training.calibrate ask --seed 20261212 --count 100 --out test.jsonl
    python -m training.calibrate ask --seed 20261203 --count 12 --world crowded \\
        --candidates 4 --out candidates.jsonl
    python -m training.calibrate fit fit.jsonl --out assets/demo/confidence.json
    python -m training.calibrate report test.jsonl --candidates candidates.jsonl \\
        --figure docs/confidence.png --out benchmarks/results/confidence.json

``ask`` draws videos, asks the model about each and keeps the answers with their
probabilities; it goes on where an earlier run was stopped. ``fit`` writes the file that
a model's folder needs. ``report`` measures on rows of other seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from render.exports import write_json
from stablechat.candidates import CANDIDATE_TEMPERATURE, candidate_configs
from stablechat.confidence import load_calibration
from stablechat.errors import StableChatError
from stablechat.fingerprint import model_id
from stablechat.hub import DEMO_FOLDER, locate
from training.calibrate.figure import draw_curves
from training.calibrate.fit import calibration_to_dict, collect_pairs, fit_calibration
from training.calibrate.going_on import take_up, to_lines
from training.calibrate.report import make_report, report_candidates
from training.calibrate.rows import Json, Row, ask_about_videos, read_rows
from training.synthetic.worlds import WORLDS

_BAD_INPUT = 2
_INTERRUPTED = 130


def ask(args: argparse.Namespace) -> None:
    """Fill a file with answers."""
    source = locate(args.model)
    run = {
        "seed": args.seed,
        "world": args.world,
        "candidates": args.candidates,
        "temperature": args.temperature,
        "model": model_id(source.folder, source.revision),
    }
    done = take_up(args.out, run)
    todo = [number for number in range(args.count) if number not in done]
    with args.out.open("a", encoding="utf-8") as file:
        configs = candidate_configs(None, args.candidates, args.temperature)
        videos = ask_about_videos(args.seed, todo, args.model, configs, args.world)
        for number, rows in enumerate(videos):
            file.write(to_lines(rows, run))
            file.flush()
            print(f"\r{len(done) + number + 1}/{args.count}", end="", file=sys.stderr)
    print(file=sys.stderr)


def fit(args: argparse.Namespace) -> None:
    """Write a calibration."""
    rows = _read_all(args.rows)
    pairs = collect_pairs(rows)
    made_by = {
        "command": " ".join(
            ["python -m training.calibrate fit", *(path.name for path in args.rows)]
        ),
        "num_answers": sum(row.truth is not None for row in rows),
    }
    write_json(args.out, calibration_to_dict(fit_calibration(pairs), pairs, made_by))


def _read_all(paths: Sequence[Path]) -> list[Row]:
    return [row for path in paths for row in read_rows(path)]


def report(args: argparse.Namespace) -> None:
    """Write what a calibration is worth on other rows, and draw it."""
    calibration = load_calibration(args.model)
    if calibration is None:
        raise StableChatError(f"{args.model} holds no confidence.json; run fit first.")
    found: Json = {
        "what": "confidence and sub-bin positions on held-out synthetic videos",
        **make_report(_read_all(args.rows), calibration),
    }
    if args.candidates is not None:
        found["candidates"] = report_candidates(read_rows(args.candidates), calibration)
    write_json(args.out, found)
    if args.figure is not None:
        draw_curves(found["confidence"], args.figure)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.calibrate",
        description="Measure how sure the model is, and what that is worth.",
    )
    commands: Any = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("ask", help="draw videos and keep the answers")
    command.add_argument("--seed", type=int, required=True)
    command.add_argument("--count", type=int, required=True, help="how many videos")
    command.add_argument("--model", help="folder or hub id; default: the demo model")
    command.add_argument(
        "--world", choices=tuple(WORLDS), help="default: several, mixed"
    )
    command.add_argument("--candidates", type=int, default=1, help="answers a question")
    command.add_argument(
        "--temperature",
        type=float,
        default=CANDIDATE_TEMPERATURE,
        help="of all candidates but the first (default: %(default)s)",
    )
    command.add_argument("--out", type=Path, required=True)
    command.set_defaults(run=ask)
    command = commands.add_parser("fit", help="write a model's confidence.json")
    command.add_argument("rows", type=Path, nargs="+")
    command.add_argument("--out", type=Path, required=True)
    command.set_defaults(run=fit)
    command = commands.add_parser("report", help="measure on rows of other seeds")
    command.add_argument("rows", type=Path, nargs="+")
    command.add_argument("--model", type=Path, default=DEMO_FOLDER, help="its folder")
    command.add_argument("--out", type=Path, required=True)
    command.add_argument("--candidates", type=Path, help="rows with several candidates")
    command.add_argument("--figure", type=Path)
    command.set_defaults(run=report)
    return parser


def main() -> None:
    """Entry point."""
    parser = _parser()
    args = parser.parse_args()
    try:
        args.run(args)
    except (StableChatError, OSError, ValueError, KeyError) as error:
        parser.exit(_BAD_INPUT, f"error: {error}\n")
    except KeyboardInterrupt:
        parser.exit(_INTERRUPTED, "\nstopped\n")


if __name__ == "__main__":
    main()
