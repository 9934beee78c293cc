"""``training.finetune`` under FSDP on CPUs, which accelerate offers on GPUs only.

Accelerate takes processes on CPUs for plain ones whatever its configuration says. This
gives them the FSDP settings that it read; all after that is its own and PyTorch's.
"""

from __future__ import annotations

from typing import Any

from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

from training.finetune.__main__ import main

_plain = AcceleratorState.__init__


def _init(self: Any, *args: Any, fsdp_plugin: Any = None, **options: Any) -> None:
    _plain(self, *args, fsdp_plugin=fsdp_plugin, **options)
    if fsdp_plugin is not None:
        self.fsdp_plugin = fsdp_plugin
        self.distributed_type = DistributedType.FSDP
        PartialState._shared_state["distributed_type"] = DistributedType.FSDP


if __name__ == "__main__":
    AcceleratorState.__init__ = _init
    main()
