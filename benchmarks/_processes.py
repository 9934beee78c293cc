"""Processes as Linux tells of them: descent, titles and memory."""

from __future__ import annotations

import os
from pathlib import Path


def family_of(root: int) -> set[int]:
    """A process and all that it started, directly or not."""
    parents = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        parents[int(pid)] = int(fields[1])
    found, new = {root}, {root}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


def title_of(pid: int) -> str:
    """How a process calls itself; nothing once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def memory_bytes(pids: set[int]) -> int:
    """What processes take together; what they share counts once."""
    return sum(_proportional_bytes(pid) for pid in pids)


def _proportional_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    kilobytes = [line.split()[1] for line in text.splitlines() if line[:4] == "Pss:"]
    return 1024 * int(kilobytes[0]) if kilobytes else 0
