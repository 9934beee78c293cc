"""When an answer is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from stablechat.last_row import LastRow
from stablechat.types import FinishReason


def never() -> bool:
    """The default answer to "was this cancelled?"."""
    return False


@dataclass(frozen=True)
class StopRule:
    """When an answer is over.

    Attributes:
        end_token_ids: Tokens by which the model ends it.
        max_new_tokens: Longest answer.
        last_row: Ends the answer to a grounding question when it is complete.
    """

    end_token_ids: Collection[int]
    max_new_tokens: int
    last_row: LastRow | None = None

    def reason(self, token: int, tokens: Sequence[int]) -> FinishReason | None:
        """Why to stop instead of appending a token, or None to go on.

        Args:
            token: The token that comes next.
            tokens: What is written before it.
        """
        if token in self.end_token_ids:
            return "stop"
        if self.last_row is not None and self.last_row.is_written(tokens):
            return "stop"
        return "length" if len(tokens) >= self.max_new_tokens else None
