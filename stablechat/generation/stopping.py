"""When an answer is over."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

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
        cancelled: Asked before every token.
    """

    end_token_ids: Collection[int]
    max_new_tokens: int
    cancelled: Callable[[], bool] = never

    def reason(self, token: int, count: int) -> FinishReason | None:
        """Why to stop instead of appending a token, or None to go on.

        Args:
            token: The token that comes next.
            count: Tokens written before it.
        """
        if self.cancelled():
            return "cancelled"
        if token in self.end_token_ids:
            return "stop"
        return "length" if count >= self.max_new_tokens else None
