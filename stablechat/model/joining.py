"""Matrices that read the same input, as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def join_parameters(parameters: Sequence[Tensor]) -> Tensor:
    """Put parameters below each other; they become views of the whole.

    So their modules go on working, and nothing is held twice.

    Args:
        parameters: ``(out_i, ...)`` each.

    Returns:
        ``(sum of out_i, ...)``; of a single one its own data, of joined ones the
        whole that there is.
    """
    first = parameters[0].data
    if _are_joined(parameters):
        height = sum(map(len, parameters))
        return first.as_strided((height, *first.shape[1:]), first.stride())
    whole = torch.cat([parameter.data for parameter in parameters])
    parts = torch.split(whole, [len(parameter) for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.data = part
    return whole


def _are_joined(parameters: Sequence[Tensor]) -> bool:
    """Whether each stands in memory right behind the one before."""
    first = parameters[0]
    expected = first.storage_offset()
    for parameter in parameters:
        if (
            not parameter.is_contiguous()
            or parameter.shape[1:] != first.shape[1:]
            or parameter.untyped_storage().data_ptr()
            != first.untyped_storage().data_ptr()
            or parameter.storage_offset() != expected
        ):
            return False
        expected += parameter.numel()
    return True
