"""Parameters that FSDP has spread over the processes: whole again, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy
from torch.distributed.tensor import DTensor, distribute_tensor

from stablechat.errors import InputError

#: What is spread, and whole only while it computes, each by itself.
_LAYERS = {"Qwen2DecoderLayer", "SiglipEncoderLayer"}


def gather_whole(
    named: Iterable[tuple[str, Tensor]], *, keep: bool = True
) -> dict[str, Tensor]:
    """Tensors by name, those that are spread put together on the CPU.

    Every process must come here with the same names in the same order.

    Args:
        named: What to gather.
        keep: Whether this process wants them; one that does not gets nothing.
    """
    found = {}
    for name, value in named:
        whole = value.detach()
        if isinstance(whole, DTensor):
            whole = whole.full_tensor()
            whole = whole.cpu() if keep else whole
        if keep:
            found[name] = whole
    return found


@torch.no_grad()
def copy_whole(place: Tensor, whole: Tensor) -> None:
    """Fill a parameter, or this process's share of it.

    Args:
        place: Is changed.
        whole: The same in all processes.
    """
    if isinstance(place, DTensor):
        moved = whole.to(place.device, place.dtype)
        whole = distribute_tensor(moved, place.device_mesh, place.placements)
    place.copy_(whole)


@contextmanager
def kept_whole(model: nn.Module, *, reshard_after_forward: bool) -> Iterator[None]:
    """All of a model in every process, so that each can ask it something else.

    Every process must come here, and leave, at the same time.

    Args:
        model: Where it is not spread, nothing happens.
        reshard_after_forward: How its layers are set: whether each gives its weights
            back when it has been called.
    """
    spread = [each for each in model.modules() if isinstance(each, FSDPModule)]
    for each in spread:
        each.set_reshard_after_forward(False, recurse=False)
        each.unshard()
    try:
        yield
    finally:
        for each in spread:
            each.reshard()
            # The first is the whole, whose weights the backward pass needs at once.
            back = reshard_after_forward and each is not spread[0]
            each.set_reshard_after_forward(back, recurse=False)


def set_up_fsdp(plugin: object) -> None:
    """Gradients meet in float32, and so does the loss, whatever a layer computes in.

    Accelerate's own choice rounds both to the layers' type, and all that goes into the
    model: also the float64 rows of coordinates, where row 152,197.4 becomes 152,576.

    Args:
        plugin: Accelerate's settings of FSDP, of this run; they are changed.

    Raises:
        InputError: They are of the older FSDP, which takes no model whose parts differ
            in type, or leave the layers in one piece.
    """
    if getattr(plugin, "fsdp_version", 1) != 2:
        raise InputError(
            "Training needs fsdp_version 2; use training/configs/accelerate_fsdp.yaml."
        )
    names = getattr(plugin, "transformer_cls_names_to_wrap", None) or ()
    if not _LAYERS <= set(names):
        raise InputError(
            f"FSDP must wrap {' and '.join(sorted(_LAYERS))}, as "
            "training/configs/accelerate_fsdp.yaml says."
        )
    policy = getattr(plugin, "mixed_precision_policy", None)
    if policy is not None:
        plugin.mixed_precision_policy = MixedPrecisionPolicy(  # type: ignore[attr-defined]
            param_dtype=policy.param_dtype,
            reduce_dtype=torch.float32,
            cast_forward_inputs=False,
        )
