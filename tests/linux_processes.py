"""Processes as Linux tells of them: titles, descent, and what they listen at."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path

from benchmarks._processes import family_of, title_of


def children_titled(pattern: str) -> list[int]:
    """Processes of such a name that this one started."""
    return [pid for pid in family_of(os.getpid()) if re.match(pattern, title_of(pid))]


def listened(pid: int) -> set[str]:
    """Addresses that a process listens at."""
    try:
        links = {os.readlink(f) for f in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()
    heard = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in links:
                raw = bytes.fromhex(fields[1].partition(":")[0])
                words = [raw[i : i + 4][::-1] for i in range(0, len(raw), 4)]
                heard.add(str(ipaddress.ip_address(b"".join(words))))
    return heard
