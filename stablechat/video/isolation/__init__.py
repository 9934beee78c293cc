"""Running what touches a stranger's file in a process that may crash, hang or swell.

A task is a function of a module's ``TASKS`` table. :func:`run_in_child` starts a
fresh Python for it, passes plain data over pipes (never pickles), and turns a crash,
a hang or too much memory into one of our errors.
"""

from __future__ import annotations

from stablechat.video.isolation.child import Channel, heartbeat, in_child
from stablechat.video.isolation.parent import Cancelled, ChildLimits, run_in_child
from stablechat.video.isolation.shared import SharedMemory, write_shared
from stablechat.video.isolation.wire import Message

__all__ = [
    "Cancelled",
    "Channel",
    "ChildLimits",
    "Message",
    "SharedMemory",
    "heartbeat",
    "in_child",
    "run_in_child",
    "write_shared",
]
