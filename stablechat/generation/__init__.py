"""Decoding: from the embeddings of a prompt to the text of an answer."""

from stablechat.generation.last_row import LastRow
from stablechat.generation.loop import generate

__all__ = ["LastRow", "generate"]
