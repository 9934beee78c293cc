"""Several processes that share one run, as ``accelerate launch`` starts them.

Each asks its own part of the questions and writes a file of its own beside the result,
``ROWS.jsonl.part0`` and so on, which only it appends to: a kill can cut no line but the
last of each. The first process holds the lock of the result, takes over what parts of
an earlier run have left, and puts all rows into the result at the end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from evaluation.row_file import RowFile

T = TypeVar("T")

#: Parts end at different times; waiting for the others must not end the run.
LONGEST_WAIT = timedelta(days=30)


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is.

    Attributes:
        rank: 0 for the one that owns the result.
        count: How many there are.
        local_rank: Which of them on this machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this is the one that owns the result."""
        return self.rank == 0

    def wait_for_all(self) -> None:
        """Go on when every process has come here; the first time, when all exist."""
        if self.count > 1:
            _state().wait_for_everyone()

    def part_of(self, items: Sequence[T]) -> Sequence[T]:
        """This process's share, a run of neighbours: one video's rows stay together."""
        start, end = (
            len(items) * rank // self.count for rank in (self.rank, self.rank + 1)
        )
        return items[start:end]

    def part_file(self, out: Path) -> Path:
        """Where this process writes its rows."""
        return out.with_name(f"{out.name}.part{self.rank}")


#: One process on its own.
ALONE = Processes()


def launched_processes() -> Processes:
    """What the launcher has told this process by the usual variables."""
    rank, count, local_rank = (
        int(os.environ.get(name, default))
        for name, default in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
    )
    return Processes(rank, count, local_rank) if count > 1 else ALONE


def part_files(out: Path) -> list[Path]:
    """The files of all parts, this run's and those that earlier ones have left."""
    name = re.compile(re.escape(out.name) + r"\.part\d+")
    if not out.parent.is_dir():
        return []
    return sorted(file for file in out.parent.iterdir() if name.fullmatch(file.name))


def take_over_parts(out: RowFile) -> None:
    """Add the rows of all parts to the result, each once, and remove the parts."""
    files = part_files(out.path)
    known = {row["index"] for row in out.rows}
    for file in files:
        for row in RowFile(file, check_lock=False).rows:
            if row["index"] not in known:
                known.add(row["index"])
                out.append(row)
    for file in files:
        file.unlink()


def count_lines(files: Sequence[Path]) -> int:
    """Whole lines in some files, those that are not there yet counting none."""
    return sum(file.read_bytes().count(b"\n") for file in files if file.exists())


def _state() -> Any:
    """Accelerate's state: it joins the processes when it is made first.

    On the CPU, whatever computes: there are no tensors to exchange, and a barrier on a
    GPU would keep it busy.
    """
    from accelerate import PartialState

    return PartialState(cpu=True, timeout=LONGEST_WAIT)
