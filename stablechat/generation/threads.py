"""How many CPU threads decoding should use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stablechat.model.modeling import LlavaST

#: Below this many parameters a token's matrices are so small that threads cost more
#: than they bring. With another busy program on the machine they cost a lot: each of
#: the hundreds of operations of a token waits for a thread that is not running (seen:
#: 14 tokens a second instead of 150, for 9 million parameters on 2 cores).
SMALL_MODEL_PARAMETERS = 30_000_000


@contextmanager
def decoding_threads(model: LlavaST) -> Iterator[None]:
    """Decode a small model on the CPU with one thread, and put the number back.

    The number of threads belongs to the process: only one thread may be in here.
    """
    language = model.language_model
    count = sum(parameter.numel() for parameter in language.parameters())
    if model.device.type != "cpu" or count > SMALL_MODEL_PARAMETERS:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
