"""How a command line is read, and what is said of one that can't be."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

_EXIT_BAD_INPUT = 2


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave."""
        line = " ".join(message.split())
        print(f"error: {line}; see {self.prog} --help", file=sys.stderr)
        sys.exit(_EXIT_BAD_INPUT)


class CommandParser(Parser):
    """Takes options between and before its positional arguments, too.

    Plain argparse gives an optional positional argument its values, or none, as soon as
    it meets the first one; what follows an option then fits nowhere.
    """

    _is_intermixed = False

    def parse_known_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """Read again, options first, where a positional argument was left over."""
        known, left = super().parse_known_args(args, namespace)
        if self._is_intermixed or all(each.startswith("-") for each in left):
            return known, left
        self._is_intermixed = True  # it calls this again
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_intermixed = False
