"""The command ``batch``: from arguments to a report."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stablechat.cli.asking import check_window_options
from stablechat.cli.batch.inputs import collect_inputs
from stablechat.cli.batch.jobs import RESULTS_FILE, BatchInput, Plan, digest_of
from stablechat.cli.batch.local_engine import LocalEngine
from stablechat.cli.batch.running import (
    Cancelled,
    Engine,
    Report,
    Show,
    num_recorded,
    run_batch,
)
from stablechat.cli.batch.storage import is_remote
from stablechat.cli.inputs import (
    config_of,
    export_formats,
    load_chat,
    queries_of,
    span_of,
)
from stablechat.cli.printed import Printed
from stablechat.cli.running import interruptible, shown_progress, tell
from stablechat.cli.texts import one_line, to_json
from stablechat.errors import CancelledError, InputError
from stablechat.folders import checked_folder

_EXIT_SOME_FAILED = 1
_MAX_FAILURES_SHOWN = 20

#: Options that the answers, or the files, depend on.
_ASKED = (
    *("task", "span", "region", "start", "at", "candidates", "choose", "segment"),
    *("second_look",),
    *("export", "model", "revision", "adapter", "device", "dtype", "attn"),
    *("quantization", "max_new_tokens", "temperature", "top_p", "seed"),
    *("speculation", "grammar"),
)
_WINDOWS = ("window", "overlap", "top", "merge")


def batch(args: argparse.Namespace) -> Printed:
    """Answer queries about many videos, here or on a Ray cluster."""
    from stablechat.candidates import check_candidates
    from stablechat.questions import check_looked_at

    check_looked_at(args.task, span_of(args.segment), args.at)
    check_candidates(args.candidates)
    check_window_options(args)
    if args.merge and args.window is None:
        raise InputError("--merge is for long videos; add --window.")
    out = _checked_out(args.out)
    export_formats(args.export, args.out)
    engine_options = _engine_options(args)
    # What elc asks about is the thing in the region, not words.
    queries = queries_of(args) or (("",) if args.task == "elc" else ())
    inputs = collect_inputs(args.inputs, queries)
    if not inputs:
        raise InputError("There is nothing to answer: no list holds a row.")
    plan = _plan_of(args, out)
    report = _run(args, inputs, plan, engine_options)
    return _printed(report, plan, as_json=args.json)


def _checked_out(name: str) -> Path:
    if is_remote(name):
        raise InputError(
            f"{one_line(name)} can't be --out: results go to a folder, which all "
            "machines of a cluster share."
        )
    return checked_folder(name).absolute()


def _plan_of(args: argparse.Namespace, out: Path) -> Plan:
    from stablechat.loader import read_config

    config = read_config(args.model, args.revision)
    # Without windows the options are what they were before there were any.
    asked = _ASKED if args.window is None else (*_ASKED, *_WINDOWS)
    options = {name: getattr(args, name) for name in asked}
    exports = (args.export or "").split(",")
    return Plan(
        out=out,
        asked=digest_of(json.dumps(options, sort_keys=True)),
        num_frames=config.num_frames,
        image_size=config.image_size,
        task=args.task,
        span=span_of(args.span),
        region=None if args.region is None else tuple(args.region),
        start_seconds=args.start,
        at_seconds=args.at,
        segment=span_of(args.segment),
        candidates=args.candidates,
        choose=args.choose,
        second_look=args.second_look,
        config=config_of(args),
        window_seconds=args.window,
        overlap_seconds=args.overlap,
        top=args.top,
        merge=args.merge,
        # result.json is that, and is always written.
        exports=tuple(each for each in exports if each.strip() not in ("", "json")),
        limits=tuple(args.limit),
    )


def _engine_options(args: argparse.Namespace) -> Any:
    """What --engine ray needs; refused before anything slow."""
    given = {"--ray-address": args.ray_address, "--models": args.models}
    if args.engine == "local":
        for name, value in given.items():
            if value is not None:
                raise InputError(f"{name} is for --engine ray.")
        return None
    from stablechat.cli.batch.ray_engine import RayOptions, check_ray

    check_ray()
    return RayOptions(args.ray_address, args.models)


def _engine(
    args: argparse.Namespace, plan: Plan, options: Any, show: Show, cancelled: Cancelled
) -> Engine:
    if options is None:
        return LocalEngine(plan, partial(load_chat, args, show, cancelled))
    from stablechat.cli.batch.ray_engine import RayEngine

    # Loaded in other processes, which are ended.
    return RayEngine(plan, partial(load_chat, args), options)


def _run(
    args: argparse.Namespace, inputs: Sequence[BatchInput], plan: Plan, options: Any
) -> Report:
    try:
        with interruptible() as cancelled, shown_progress() as show:
            return run_batch(
                inputs,
                plan,
                _engine(args, plan, options, show, cancelled),
                cancelled,
                tell,
                show if sys.stderr.isatty() else None,
                retry_failed=args.retry_failed,
                overwrite=args.overwrite,
            )
    except (CancelledError, KeyboardInterrupt):
        tell(
            f"Stopped: {num_recorded(plan.out, inputs)} of {len(inputs)} are through; "
            "the same command goes on from there."
        )
        raise


def _printed(report: Report, plan: Plan, *, as_json: bool) -> Printed:
    code = _EXIT_SOME_FAILED if report.failed else 0
    data = {
        "results": str(plan.out / RESULTS_FILE),
        "num_inputs": report.num_inputs,
        "num_done": len(report.results) - len(report.failed),
        "num_found": report.num_found,
        "num_guesses": report.num_guesses,
        "num_failed": len(report.failed),
        "num_finished_before": report.num_before,
        "failed": [
            {"id": each.id, "video": each.video, "query": each.query,
             "kind": each.kind, "reason": each.reason}
            for each in report.failed
        ],
    }  # fmt: skip
    text = to_json(data) if as_json else "\n".join(_lines(report, data))
    return Printed(text, code)


def _lines(report: Report, data: dict[str, Any]) -> list[str]:
    lines = [
        f"{data['num_done']} of {data['num_inputs']} answered, found in "
        f"{data['num_found']}, of which {data['num_guesses']} are guesses; "
        f"{data['num_finished_before']} were finished before.",
        f"results: {data['results']}",
    ]
    if report.failed:
        lines.append(f"{len(report.failed)} failed:")
        shown = report.failed[:_MAX_FAILURES_SHOWN]
        lines += [f"  {one_line(each.video)}: {each.reason}" for each in shown]
        more = len(report.failed) - len(shown)
        lines += [f"  and {more} more, in the results."] * bool(more)
    return lines
