"""What of a disk is left to others."""

from __future__ import annotations

#: What is left free on the disk for others; less of it on a small one.
KEPT_FREE_BYTES = 1024**3
_KEPT_FREE_SHARE = 0.05


def kept_free(total_bytes: int) -> int:
    """What is left free on a disk of that size."""
    return min(KEPT_FREE_BYTES, round(_KEPT_FREE_SHARE * total_bytes))
