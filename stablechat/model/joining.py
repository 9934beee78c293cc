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
        ``(sum of out_i, ...)``; of a single one its own data.
    """
    if len(parameters) == 1:
        return parameters[0].data
    whole = torch.cat([parameter.data for parameter in parameters])
    parts = torch.split(whole, [len(parameter) for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.data = part
    return whole
