"""``prepare``: which files of a benchmark to put where, and what is there."""

from __future__ import annotations

import argparse
from pathlib import Path

from evaluation.commands.arguments import Commands, new_command


def add_to(commands: Commands) -> None:
    """Describe the command."""
    from evaluation.datasets import DATASETS

    parser = new_command(
        commands,
        "prepare",
        "Say which files a benchmark needs and where to put them, and look at what is "
        "there already. Nothing is downloaded.",
    )
    parser.add_argument(
        "dataset", choices=tuple(DATASETS), metavar="NAME", help=", ".join(DATASETS)
    )
    parser.add_argument(
        "--root",
        metavar="DIR",
        type=Path,
        help="the benchmark's folder (default: benchmarks/data/NAME)",
    )


def call(args: argparse.Namespace) -> str:
    """Do it; returns the list."""
    from evaluation.datasets import DATASETS
    from evaluation.datasets.prepare import describe

    root = args.root or Path("benchmarks", "data", args.dataset)
    return describe(DATASETS[args.dataset], root)
