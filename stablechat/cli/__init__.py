"""The command line: ``python -m stablechat ground|batch|describe|probe|clip|export``.

It composes the library with ``render``, which nothing else in ``stablechat`` may
import. Heavy imports stand where they are used, so that ``--help`` and ``probe`` load
neither torch nor MoviePy, and bad input is refused before a model is loaded.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout

from stablechat.arguments import parse_arguments
from stablechat.cli import commands
from stablechat.cli.inputs import set_limits
from stablechat.cli.printed import Printed
from stablechat.cli.texts import one_line
from stablechat.errors import CancelledError, InputError, StableChatError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
_EXIT_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; None takes the process's own.

    Returns:
        The exit code: 0, 1 where some of several videos failed, 2 for bad input, 130
        when interrupted.
    """
    args = parse_arguments(argv)
    _set_up_output(args.verbose)
    run: dict[str, Callable[[argparse.Namespace], Printed]] = {
        "ground": commands.ground,
        "batch": commands.batch,
        "describe": commands.describe,
        "probe": commands.probe,
        "fetch": commands.fetch,
        "clip": commands.clip,
        "export": commands.export,
    }
    try:
        set_limits(args.limit)
        # Libraries that print must not end up in the JSON.
        with redirect_stdout(sys.stderr):
            printed = run[args.command](args)
        _print(printed.text)
    except (KeyboardInterrupt, CancelledError):
        return EXIT_INTERRUPTED
    except StableChatError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        _give_up_stdout()
        return _EXIT_BROKEN_PIPE
    return printed.code


def _print(text: str) -> None:
    """Print what was found.

    Raises:
        InputError: It can't be written, on a full disk for example.
        BrokenPipeError: Nobody reads on.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        _give_up_stdout()
        raise InputError(
            f"The output can't be written: {error.strerror or error}."
        ) from error


def _give_up_stdout() -> None:
    # Python would complain again when it flushes stdout at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _set_up_output(verbose: bool) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.ERROR,
        format="%(levelname)s %(name)s: %(message)s",
    )
    logging.captureWarnings(True)
    for stream in (sys.stdout, sys.stderr):
        # File names and models may hold what a terminal's encoding does not.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
