"""The command line: ``python -m evaluation run|score``.

Only ``run`` needs a model and a video library; they are imported there, so that
``score`` and ``--help`` answer at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import NoReturn

from stablechat.errors import CancelledError, InputError, StableChatError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
_EXIT_BROKEN_PIPE = 141


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave."""
        line = " ".join(message.split())
        print(f"error: {line}; see {self.prog} --help", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; None takes the process's own.

    Returns:
        The exit code: 0, 2 for bad input, 130 when interrupted.
    """
    args = _parse_arguments(argv)
    commands: dict[str, Callable[[argparse.Namespace], str]] = {
        "run": _run,
        "score": _score,
    }
    try:
        # Libraries that print must not end up in the JSON.
        with redirect_stdout(sys.stderr):
            text = commands[args.command](args)
        print(text, flush=True)
    except (KeyboardInterrupt, CancelledError):
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    except StableChatError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        # Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_BROKEN_PIPE
    return 0


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    from evaluation.protocols import PROTOCOLS, TASKS

    parser = _Parser(
        prog="python -m evaluation",
        description="Ask a model a benchmark's questions and score its answers.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    text = "Print the metrics of a result file as JSON."
    score = commands.add_parser("score", help=text, description=text)
    score.add_argument("rows", metavar="ROWS.jsonl", type=Path, help="what run wrote")
    score.add_argument("--task", choices=TASKS, required=True)
    score.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="released",
        help="released (default): equal to the published evaluation code, oddities "
        "included; strict: every row counts",
    )
    return parser.parse_args(argv)


def _add_run(commands: argparse._SubParsersAction[_Parser]) -> None:
    from evaluation.datasets import TASKS
    from stablechat.types import GenerationConfig

    text = "Ask every annotated row; goes on where an earlier run was ended."
    add = commands.add_parser("run", help=text, description=text).add_argument
    add(
        "--annotations",
        metavar="A.json",
        type=Path,
        required=True,
        help="rows in the format of ST-Align",
    )
    add("--videos", metavar="DIR", type=Path, required=True, help="their videos")
    add("--task", choices=TASKS, required=True)
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
    add("--limit", metavar="N", type=_count, help="ask the first N only")
    add("--subset", metavar="N", type=_count, help="ask N that are drawn at random")
    add("--seed", metavar="S", type=int, help="for --subset (default: 0)")
    add(
        "--out",
        metavar="ROWS.jsonl",
        type=Path,
        required=True,
        help="one line for each row, written as it is answered",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number from 1 on, got {text!r}")
    return int(text)


def _run(args: argparse.Namespace) -> str:
    from evaluation.datasets import choose, load_samples
    from evaluation.rows import RowFile
    from evaluation.runner import pending, run
    from stablechat.types import GenerationConfig

    if args.seed is not None and args.subset is None:
        raise InputError("--seed is for --subset; give both or neither.")
    if not os.path.isdir(args.videos):
        raise InputError(f"{args.videos} is not a folder; give --videos the videos'.")
    if not os.access(args.videos, os.R_OK | os.X_OK):
        raise InputError(f"{args.videos} can't be read; choose another --videos.")
    config = GenerationConfig(max_new_tokens=args.max_new_tokens)
    samples = load_samples(args.annotations, args.task)
    chosen = choose(samples, args.subset, args.seed or 0, args.limit)
    out = RowFile(args.out)
    # Before the model is loaded, which takes long.
    pending(chosen, out.rows)

    from evaluation.asking import load_chat

    chat = load_chat(args.model, args.device, args.dtype)
    done = run(chosen, args.videos, chat, out, config)
    return (
        f"{args.out}: {done.num_rows} rows, {done.num_new} of them new; "
        f"{done.num_missing} without a usable video, {done.num_cut} cut at the length "
        "limit"
    )


def _score(args: argparse.Namespace) -> str:
    from evaluation.protocols import score
    from evaluation.rows import read_result_rows

    rows = read_result_rows(args.rows, args.task)
    return json.dumps(score(rows, args.task, args.protocol), indent=1, allow_nan=False)


if __name__ == "__main__":
    sys.exit(main())
