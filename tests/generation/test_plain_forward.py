"""Transformers' own forward pass, with a cache."""

from __future__ import annotations

import warnings

import golden_files
import torch
from transformers import DynamicCache

from stablechat.generation.plain_forward import read_into

DECODER = golden_files.loaded().model.language_model.model
EMBEDDED = DECODER.embed_tokens(torch.arange(7))[None].detach()


@torch.no_grad()
def test_in_two_parts_as_in_one() -> None:
    cache = DynamicCache()
    parts = [read_into(cache, DECODER, part) for part in EMBEDDED.split([4, 3], dim=1)]
    whole = DECODER(inputs_embeds=EMBEDDED).last_hidden_state
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)
    assert cache.get_seq_length() == 7


@torch.no_grad()
def test_what_may_not_be_looked_at_changes_nothing() -> None:
    mask = torch.tensor([[0, 1, 1, 1, 1, 1, 1]])
    other = EMBEDDED.clone()
    other[0, 0] += 1
    found = [read_into(DynamicCache(), DECODER, e, mask) for e in (EMBEDDED, other)]
    torch.testing.assert_close(found[0][:, 1:], found[1][:, 1:])


@torch.no_grad()
def test_nothing_is_asked_for_by_a_name_that_will_go() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_into(DynamicCache(), DECODER, EMBEDDED)
