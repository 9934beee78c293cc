"""``sensitivity``: ask the same rows at several temperatures, and compare."""

from __future__ import annotations

import argparse
from pathlib import Path

from evaluation.commands.arguments import (
    Commands,
    add_choice,
    add_dataset,
    add_model,
    decoding,
    new_command,
    number,
)


def add_to(commands: Commands) -> None:
    """Describe the command."""
    from evaluation.sensitivity import DEFAULT_SEEDS, DEFAULT_TEMPERATURES

    parser = new_command(
        commands,
        "sensitivity",
        "Ask the same rows at several temperatures with several seeds; write "
        "sensitivity.json and a figure of four panels. Goes on where it was ended.",
    )
    add_dataset(parser)
    add = parser.add_argument
    add("--videos", metavar="DIR", type=Path, required=True, help="their videos")
    add_model(parser)
    add(
        "--temperatures",
        metavar="T",
        type=number,
        nargs="+",
        default=list(DEFAULT_TEMPERATURES),
        help="default: %(default)s",
    )
    add(
        "--seeds",
        metavar="S",
        type=int,
        nargs="+",
        default=list(DEFAULT_SEEDS),
        help="of the sampling, each with every temperature (default: %(default)s)",
    )
    add_choice(parser)
    add("--out", metavar="DIR", type=Path, required=True, help="folder of the results")


def call(args: argparse.Namespace) -> str:
    """Do it; returns the summary, in the process that owns the files."""
    from evaluation.commands.asking_rows import Benchmark
    from evaluation.processes import launched_processes
    from evaluation.sensitivity import Setting, rows_path

    settings: list[Setting] = [
        (temperature, seed)
        for temperature in dict.fromkeys(args.temperatures)
        for seed in dict.fromkeys(args.seeds)
    ]
    configs = {setting: decoding(args, *setting) for setting in settings}
    benchmark = Benchmark(args)
    for setting, config in configs.items():
        benchmark.check(rows_path(args.out, setting), config)

    from evaluation.asking import load_chat

    processes = launched_processes()
    chat = load_chat(args.model, args.device, args.dtype, processes)
    chat.keep_videos(len({sample.video_path for sample in benchmark.samples}))
    for setting, config in configs.items():
        benchmark.ask(chat, rows_path(args.out, setting), config)
    return _write(args, settings) if processes.is_main else ""


def _write(args: argparse.Namespace, settings: list[tuple[float, int]]) -> str:
    from evaluation.figures import sensitivity_png
    from evaluation.files import write_file
    from evaluation.report.build import SENSITIVITY_FIGURE, SENSITIVITY_FILE
    from evaluation.rows import read_result_rows
    from evaluation.sensitivity import measure, rows_path
    from render.exports import write_json

    rows = {s: read_result_rows(rows_path(args.out, s), args.task) for s in settings}
    found = measure(rows, args.task)
    write_json(args.out / SENSITIVITY_FILE, found.as_dict())
    write_file(args.out / SENSITIVITY_FIGURE, sensitivity_png(found))
    return f"{args.out}: {len(settings)} settings, {SENSITIVITY_FILE} and a figure"
