"""``run``: ask a model every row of a benchmark."""

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
    parser = new_command(
        commands, "run", "Ask every annotated row; goes on where an earlier run ended."
    )
    add_dataset(parser)
    add = parser.add_argument
    add("--videos", metavar="DIR", type=Path, required=True, help="videos or images")
    add_model(parser)
    add(
        "--temperature",
        metavar="T",
        type=number,
        default=0.0,
        help="above 0 tokens are sampled (default: 0, greedy)",
    )
    add(
        "--sampling-seed",
        metavar="S",
        type=int,
        default=0,
        help="repeats a sampled run (default: 0)",
    )
    add_choice(parser)
    add(
        "--out",
        metavar="ROWS.jsonl",
        type=Path,
        required=True,
        help="one line for each row, written as it is answered",
    )


def call(args: argparse.Namespace) -> str:
    """Do it; returns the summary, which only the process that owns the file prints."""
    from evaluation.commands.asking_rows import Benchmark
    from evaluation.processes import launched_processes

    config = decoding(args, args.temperature, args.sampling_seed)
    benchmark = Benchmark(args)
    benchmark.check(args.out, config)

    from evaluation.asking import load_chat

    chat = load_chat(args.model, args.device, args.dtype, launched_processes())
    done = benchmark.ask(chat, args.out, config)
    if done is None:
        return ""
    return (
        f"{args.out}: {done.num_rows} rows, {done.num_new} of them new; "
        f"{done.num_missing} without a usable video, {done.num_cut} cut at the length "
        f"limit{benchmark.told_bad_rows()}"
    )
