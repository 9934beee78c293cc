"""The model's next token, or the likeliest one that the grammar allows."""

from __future__ import annotations

import torch
from torch import Tensor

from stablechat.generation.decoder import Reading
from stablechat.generation.grammar import Allowed, Grammar
from stablechat.generation.sampler import Sampler
from stablechat.generation.scores import token_scores
from stablechat.types import FloatArray


class Chooser:
    """Follows one answer through a grammar, if there is one.

    Args:
        sampler: Picks a token where the model's own pick is not allowed. Refusing and
            picking again among the allowed ones is sampling from their distribution.
        grammar: None lets the model write what it likes.
        first_coordinate: Id of ``<TEMP-000>``.
        max_new_tokens: Room for the answer.
    """

    def __init__(
        self,
        sampler: Sampler,
        grammar: Grammar | None,
        first_coordinate: int,
        max_new_tokens: int,
    ) -> None:
        self._sampler = sampler
        self._grammar = grammar
        self._first_coordinate = first_coordinate
        self._max_new_tokens = max_new_tokens
        self._state = grammar.start() if grammar else None
        self._objected = False

    @property
    def objected(self) -> bool:
        """Whether the model's last pick was refused, as the next one may be."""
        return self._objected

    @property
    def was_cut(self) -> bool:
        """Whether the grammar ended the answer for want of room."""
        return self._state is not None and self._state.was_cut

    def choose(
        self, reading: Reading, node: int, written: int
    ) -> tuple[int, FloatArray]:
        """The token after a node of the tree that was read.

        Args:
            reading: What the model would write.
            node: Place in the tree.
            written: Tokens of the answer before it.

        Returns:
            The token and its scores, float64 ``(8,)``.
        """
        token, scores = reading.tokens[node], reading.scores[node]
        if self._grammar is None or self._state is None:
            return token, scores
        room = self._max_new_tokens - written
        allowed = self._grammar.allowed(self._state, room)
        self._objected = token not in allowed
        if self._objected:
            token, scores = self._pick_again(reading.logits[node], allowed, written)
        self._state = self._grammar.follow(self._state, token, room)
        return token, scores

    def _pick_again(
        self, logits: Tensor, allowed: Allowed, written: int
    ) -> tuple[int, FloatArray]:
        possible = _restricted(logits, allowed).unsqueeze(0)
        place = torch.tensor([written], device=logits.device)
        token = self._sampler.pick(possible, place, again=True)
        scores = token_scores(logits.unsqueeze(0), token, self._first_coordinate)
        return int(token), scores[0].double().cpu().numpy()


def _restricted(logits: Tensor, allowed: Allowed) -> Tensor:
    """Scores with all but the allowed tokens ruled out."""
    possible = torch.full_like(logits, -torch.inf)
    possible[: allowed.prose_below] = logits[: allowed.prose_below]
    possible[list(allowed.but)] = -torch.inf
    ids = list(allowed.ids)
    possible[ids] = logits[ids]
    return possible
