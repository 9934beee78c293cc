"""The capacity model's command.

    python -m benchmarks.capacity cpu          processor seconds of reading and cutting
    python -m benchmarks.capacity check        a real batch against the simulation
    python -m benchmarks.capacity plan         the tables, from the committed results

Each writes ``benchmarks/results/capacity_*.json``; ``plan`` takes what is assumed as
options, draws ``docs/capacity.png`` and writes the tables of ``docs/scaling.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from benchmarks._timing import RESULTS, machine, run_main, write_report
from benchmarks.capacity.instances import StoragePrices, priced
from benchmarks.capacity.plan import SCALES, Assumptions, report


def _cpu(args: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.capacity.cpu import measure

    return measure(args.runs)


def _check(args: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.capacity import bookkeeping
    from benchmarks.capacity.check import check

    before = _load()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        engines = check(args.count, args.engine, Path(folder))
    return {
        "what": f"python -m benchmarks.capacity check --count {args.count}",
        **machine(),
        "threads_of_the_model": args.threads,
        "load_average": {"before": before, "after": _load()},
        "engines": engines,
        "bookkeeping": bookkeeping.measure(),
    }


def _plan(args: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.capacity.figure import plan_png
    from benchmarks.capacity.measured import load
    from benchmarks.capacity.tables import write_tables

    storage = StoragePrices(args.usd_per_gb_month, args.usd_per_gb_out)
    started = time.perf_counter()
    found = {
        "what": "python -m benchmarks.capacity plan",
        **report(
            load(),
            _assumed(args),
            priced(dict(args.price)),
            storage,
            args.videos or SCALES,
        ),
        "simulated_in_seconds": round(time.perf_counter() - started),
    }
    if args.docs is not None:
        check = RESULTS / "capacity_check.json"
        (args.docs / "capacity.png").write_bytes(plan_png(found))
        write_tables(args.docs / "scaling.md", found, json.loads(check.read_text()))
    return found


def _assumed(args: argparse.Namespace) -> Assumptions:
    usual = Assumptions()
    work, day, rest = (_given(args, part) for part in (usual.work, usual.day, usual))
    return replace(
        usual, **rest, work=replace(usual.work, **work), day=replace(usual.day, **day)
    )


def _given(args: argparse.Namespace, part: Any) -> dict[str, Any]:
    return {name: getattr(args, name) for name in _options_of(part)}


def _options_of(part: Any) -> dict[str, int | float | str]:
    """Fields of an assumption that an option stands for, with what they are."""
    values = {each.name: getattr(part, each.name) for each in fields(part)}
    return {
        name: value
        for name, value in values.items()
        # A day's videos are those of each line of the table; the machine has its card.
        if isinstance(value, int | float | str) and name not in ("videos", "gpu")
    }


def _add_assumptions(parser: argparse.ArgumentParser) -> None:
    usual = Assumptions()
    for part in (usual, usual.work, usual.day):
        for name, value in _options_of(part).items():
            option = f"--{name.replace('_', '-')}"
            parser.add_argument(
                option, type=type(value), default=value, help=f"({value})"
            )


def _price(text: str) -> tuple[str, float]:
    name, _, usd = text.partition("=")
    return name, float(usd)


def _load() -> list[float]:
    return [round(each, 1) for each in os.getloadavg()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    cpu = commands.add_parser("cpu", help="measure reading and cutting")
    cpu.add_argument("--runs", type=int, default=3)
    cpu.set_defaults(work=_cpu)
    check = commands.add_parser("check", help="measure a batch and simulate it")
    check.add_argument("--count", type=int, default=40, help="videos of each half")
    check.add_argument("--threads", type=int, default=1, help="of PyTorch")
    check.add_argument("--engine", action="append", choices=("local", "ray"))
    check.set_defaults(work=_check)
    plan = commands.add_parser("plan", help="make the tables")
    plan.add_argument("--videos", type=int, action="append", help="a day; repeatable")
    plan.add_argument("--price", type=_price, action="append", default=[],
                      metavar="MACHINE=USD", help="an hour")  # fmt: skip
    usual = StoragePrices()
    plan.add_argument("--usd-per-gb-month", type=float, default=usual.usd_per_gb_month)
    plan.add_argument("--usd-per-gb-out", type=float, default=usual.usd_per_gb_out)
    plan.add_argument("--docs", type=Path, help="folder of scaling.md, to be written")
    _add_assumptions(plan)
    plan.set_defaults(work=_plan)
    for each in (cpu, check, plan):
        name = each.prog.split()[-1]
        each.add_argument("--out", type=Path, default=RESULTS / f"capacity_{name}.json")
    return parser


def main() -> None:
    """Entry point."""
    args = _parser().parse_args()
    if args.command == "check" and not args.engine:
        args.engine = ["local", "ray"]
    write_report(args.work(args), args.out)


if __name__ == "__main__":
    run_main(main)
