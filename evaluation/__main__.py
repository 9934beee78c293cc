"""The command line: ``python -m evaluation COMMAND``.

Only commands that ask a model or draw need heavy libraries; they are imported there, so
that ``score`` and ``--help`` answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout

from evaluation.commands import (
    breakdown,
    cases,
    prepare,
    report,
    run,
    score,
    sensitivity,
    validate,
)
from evaluation.commands.arguments import EXIT_BAD_INPUT, Commands
from stablechat.command_line import Parser
from stablechat.errors import CancelledError, StableChatError

EXIT_INTERRUPTED = 130
_EXIT_BROKEN_PIPE = 141

_Describe = Callable[[Commands], None]
#: Returns what to print, with the exit code where it may be another than 0.
_Call = Callable[[argparse.Namespace], str | tuple[str, int]]

_COMMANDS: dict[str, tuple[_Describe, _Call]] = {
    "prepare": (prepare.add_to, prepare.call),
    "validate": (validate.add_to, validate.call),
    "run": (run.add_to, run.call),
    "score": (score.add_to, score.call),
    "breakdown": (breakdown.add_to, breakdown.call),
    "sensitivity": (sensitivity.add_to, sensitivity.call),
    "cases": (cases.add_to, cases.call),
    "report": (report.add_to, report.call),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; None takes the process's own.

    Returns:
        The exit code: 0, 1 where ``validate`` found something, 2 for bad input, 130
        when interrupted.
    """
    args = _parse_arguments(argv)
    try:
        # Libraries that print must not end up in the JSON.
        with redirect_stdout(sys.stderr):
            answer = _COMMANDS[args.command][1](args)
        text, code = (answer, 0) if isinstance(answer, str) else answer
        if text:
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
    return code


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m evaluation",
        description="Ask a model a benchmark's questions, score its answers, and tell.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for describe, _ in _COMMANDS.values():
        describe(commands)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
