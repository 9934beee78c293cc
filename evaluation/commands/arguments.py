"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TypeAlias

from stablechat.arguments import add_decoding_switches
from stablechat.command_line import Parser
from stablechat.types import GenerationConfig

EXIT_BAD_INPUT = 2


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def new_command(commands: Commands, name: str, text: str) -> Parser:
    """Add a command; its ``add_to`` describes the arguments."""
    return commands.add_parser(name, help=text, description=text)


def count(text: str) -> int:
    """A number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number from 1 on, got {text!r}")
    return int(text)


def number(text: str) -> float:
    """A number, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"must be a number from 0 on, got {text!r}")
    return value


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Which benchmark, and where its annotations are."""
    from evaluation.datasets import DATASETS
    from evaluation.datasets.registry import DEFAULT_DATASET

    tasks = dict.fromkeys(task for d in DATASETS.values() for task in d.tasks)
    parser.add_argument(
        "--dataset",
        choices=tuple(DATASETS),
        default=DEFAULT_DATASET,
        metavar="NAME",
        help=f"{', '.join(DATASETS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--annotations", metavar="A.json", type=Path, required=True, help="its rows"
    )
    parser.add_argument("--task", choices=tuple(tasks), required=True)
    parser.add_argument(
        "--extra",
        metavar="PATH",
        type=Path,
        help="what else it needs: VidOR's annotations, or the lengths of Charades' "
        "videos; python -m evaluation prepare NAME tells",
    )


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Which of its rows."""
    add = parser.add_argument
    add("--limit", metavar="N", type=count, help="ask the first N only")
    add("--subset", metavar="N", type=count, help="ask N that are drawn at random")
    add("--seed", metavar="S", type=int, help="for --subset (default: 0)")
    add(
        "--skip-bad-rows",
        action="store_true",
        help="ask the usable rows of a file that has others; how many those are is "
        "told and written down",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which model, where, and how it decodes; see :func:`decoding`."""
    add = parser.add_argument
    add("--model", metavar="M", help="folder or hub id; default: the demo model")
    add("--device", metavar="D", help="cpu, cuda, cuda:1 or mps; default: the best")
    add("--dtype", metavar="T", help="float32, float16 or bfloat16; default: by device")
    add(
        "--max-new-tokens",
        type=int,
        default=GenerationConfig().max_new_tokens,
        metavar="N",
        help="longest answer (default: %(default)s)",
    )
    add_decoding_switches(parser)


def decoding(
    args: argparse.Namespace, temperature: float, seed: int
) -> GenerationConfig:
    """How a command decodes at a temperature, by the arguments of ``add_model``.

    Raises:
        InputError: A number is out of its range.
    """
    return GenerationConfig(
        max_new_tokens=args.max_new_tokens,
        temperature=temperature,
        seed=seed,
        speculation=args.speculation,
        grammar=args.grammar,
    )
