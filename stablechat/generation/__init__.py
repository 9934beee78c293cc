"""Decoding: from the embeddings of a prompt to the text of an answer."""

from stablechat.generation.loop import generate

__all__ = ["generate"]
