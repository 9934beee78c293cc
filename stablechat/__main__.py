"""``python -m stablechat``; see :mod:`stablechat.cli`."""

from __future__ import annotations

import sys

from stablechat.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
