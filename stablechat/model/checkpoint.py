"""Names of a published checkpoint's tensors, and where each goes in our model.

The published layout keeps the coordinate tables apart from the embedding and the
head; ours appends them as rows, so one parameter of ours is filled from up to four
tensors of theirs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stablechat.model.config import AXES
from stablechat.types import NUM_BINS

TOWER_PREFIX = "model.vision_tower.vision_tower.vision_model."
PACKER_WIDTH_KEY = "model.vision_resampler.token_packer.devide_attention.to_q.0.weight"

_EMBEDDING = "language_model.model.embed_tokens.weight"
_HEAD = "language_model.lm_head.weight"

# (pattern, replacement) from the published name to ours.
_RENAMES = (
    (re.compile(r"^model\.(layers\.\d+\.|norm\.)"), r"language_model.model.\1"),
    (re.compile(r"^" + re.escape(TOWER_PREFIX)), "vision_tower."),
    (re.compile(r"^model\.mm_projector\.([02])\."), r"projector.\1."),
    # "devide_attention" is upstream's spelling.
    (
        re.compile(r"^model\.vision_resampler\.(\w+)\.devide_attention\."),
        r"packer.\1.",
    ),
)


@dataclass(frozen=True)
class Target:
    """Where a published tensor goes.

    Attributes:
        name: Our parameter.
        first_row: First of its rows that the tensor fills, or None for all of it.
    """

    name: str
    first_row: int | None = None


def target_of(key: str, base_vocab_size: int) -> Target | None:
    """Find the place of a published tensor, None if it is not one we know."""
    tables = {"model.embed_tokens.weight": Target(_EMBEDDING, 0)}
    tables["lm_head.weight"] = Target(_HEAD, 0)
    for i, axis in enumerate(AXES):
        row = base_vocab_size + i * NUM_BINS
        tables[f"model.{axis}_input_embeddings.weight"] = Target(_EMBEDDING, row)
        tables[f"model.{axis}_output_embeddings.weight"] = Target(_HEAD, row)
    if key in tables:
        return tables[key]
    for pattern, replacement in _RENAMES:
        renamed, count = pattern.subn(replacement, key)
        if count:
            return Target(renamed)
    return None
