"""``training.finetune`` as a test launches it: under FSDP on CPUs too, and watched.

Accelerate takes processes on CPUs for plain ones whatever its configuration says. This
gives them the FSDP settings that it read; all after that is its own and PyTorch's.
"""

from __future__ import annotations

import os
from typing import Any

from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

from training.finetune import __main__ as command
from training.finetune.evaluating import BenchmarkChat, Evaluation

_plain = AcceleratorState.__init__


def _init(self: Any, *args: Any, fsdp_plugin: Any = None, **options: Any) -> None:
    _plain(self, *args, fsdp_plugin=fsdp_plugin, **options)
    if fsdp_plugin is not None:
        self.fsdp_plugin = fsdp_plugin
        self.distributed_type = DistributedType.FSDP
        PartialState._shared_state["distributed_type"] = DistributedType.FSDP


class WatchedEvaluation(Evaluation):
    """Writes down, a line for each question, which process was asked."""

    def _ask(self, path: Any, processes: Any) -> None:
        ask = BenchmarkChat.ask
        log = path.parents[1] / f"asked-{processes.rank}"

        def told(chat: Any, video: Any, sample: Any, config: Any) -> Any:
            with log.open("a") as file:
                print(sample.index, file=file)
            return ask(chat, video, sample, config)

        BenchmarkChat.ask = told  # type: ignore[method-assign]
        try:
            super()._ask(path, processes)
        finally:
            BenchmarkChat.ask = ask  # type: ignore[method-assign]


def allow_fsdp_on_cpu() -> None:
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        AcceleratorState.__init__ = _init


if __name__ == "__main__":
    allow_fsdp_on_cpu()
    command.Evaluation = WatchedEvaluation  # type: ignore[misc]
    command.main()
