"""An answer as ``benchmarks.speculation`` keeps it."""

from __future__ import annotations

_ROW = [520, 220, 660, 509, 860, 760, 900, 800]
#: Time, box, over and over.
ANSWER = [t for step in range(5) for t in [*_ROW[:2], _ROW[2] + step, *_ROW[3:]]]
