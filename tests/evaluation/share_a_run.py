"""A program for ``accelerate launch``: processes that share a run of a fake model.

    share_a_run.py OUT NUM_ROWS [RANK_TO_KILL]

The process of that rank kills itself in the middle of its share.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from eval_samples import ANSWER, FakeAsker, annotation

from evaluation.datasets import read_sample
from evaluation.processes import Processes, launched_processes
from evaluation.row_file import RowFile
from evaluation.runner import run
from stablechat.types import GenerationConfig


def main(out: Path, num_rows: int, rank_to_kill: int = -1) -> None:
    processes: Processes = launched_processes()

    def answer(number: int) -> str:
        if processes.rank == rank_to_kill and number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return ANSWER

    samples = [
        read_sample(n, annotation(video_path=f"{n}.mp4"), "stvg")
        for n in range(num_rows)
    ]
    file = RowFile(out, check_lock=processes.is_main)
    config = GenerationConfig()
    asker = FakeAsker(answer)
    done = run(samples, out.parent, asker, file, config, processes=processes)
    if done is not None:
        print(done)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
