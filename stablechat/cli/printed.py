"""What a command leaves on the terminal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Printed:
    """The end of a command.

    Attributes:
        text: For stdout.
        code: The exit code: 0, or 1 where some of several things failed.
    """

    text: str
    code: int = 0
