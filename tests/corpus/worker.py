"""The child's side of :mod:`tests.corpus.workers`: does one job after the other.

Each line on stdin is a job, ``{"function": "module:name", "arguments": [...]}``; each
line on what was stdout is its answer.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import traceback
from typing import Any


def main() -> None:
    """Answer jobs until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line))) + "\n")
        answers.flush()


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    module, _, name = job["function"].partition(":")
    answer: dict[str, Any] = {}
    try:
        function = getattr(importlib.import_module(module), name)
        answer["value"] = function(*job["arguments"])
    except Exception as error:
        answer["error"] = f"{type(error).__name__}: {error}"
        answer["traceback"] = traceback.format_exc()
    gc.collect()
    answer["num_fds"] = len(os.listdir("/proc/self/fd"))
    return answer


if __name__ == "__main__":
    main()
