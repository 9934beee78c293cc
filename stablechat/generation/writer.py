"""Writing one answer, token by token or many at once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from torch import Tensor

from stablechat.generation.choice import Chooser
from stablechat.generation.decoder import Decoder, Reading
from stablechat.generation.drafter import Drafter
from stablechat.generation.sampler import Sampler
from stablechat.generation.stopping import StopRule, never
from stablechat.generation.tree import DraftTree, single
from stablechat.types import FinishReason, FloatArray


@dataclass(frozen=True)
class Pass:
    """What a writer wants the model to read next.

    Attributes:
        tree: Its guesses.
        place: How many tokens of the answer stand before the one after the tree's
            first.
        ahead: Whether the one token that comes after will be read next.
    """

    tree: DraftTree
    place: int
    ahead: bool


class Writer:
    """Writes one answer: guesses, has the model check, takes what it agrees with.

    Args:
        decoder: Reads the prompt and checks guesses.
        chooser: Says which token comes next.
        drafter: Guesses; None for one token a pass.
        rule: Says when the answer is over.
        on_token: Called with (token id, tokens so far) after each token.
        cancelled: Asked before every pass and every token.

    Attributes:
        tokens: What is written.
        scores: float64 ``(8,)`` each, as :func:`scores.token_scores` has them.
        num_passes: Forward passes after the prompt.
    """

    def __init__(
        self,
        decoder: Decoder,
        chooser: Chooser,
        drafter: Drafter | None,
        rule: StopRule,
        on_token: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        self._decoder = decoder
        self._chooser = chooser
        self._drafter = drafter
        self._rule = rule
        self._on_token = on_token
        self._cancelled = cancelled
        self.tokens: list[int] = []
        self.scores: list[FloatArray] = []
        self.num_passes = 0

    def read_prompt(self, inputs_embeds: Tensor, sampler: Sampler) -> None:
        """Read the question."""
        limit = self._rule.max_new_tokens
        self._reading = self._decoder.read_prompt(inputs_embeds, sampler, limit)

    def write(self) -> FinishReason:
        """Write until the answer is over.

        Returns:
            Why it is.
        """
        passes = self.passes()
        try:
            wanted = next(passes)
            while True:
                found = self._decoder.read(
                    wanted.tree, wanted.place, ahead=wanted.ahead
                )
                wanted = passes.send(found)
        except StopIteration as over:
            reason: FinishReason = over.value
            return reason

    def passes(self) -> Generator[Pass, Reading, FinishReason]:
        """The same step by step, for whoever has several answers read at once.

        Yields:
            What is to be read.

        Receives:
            What the model would write after it.

        Returns:
            Why the answer is over.
        """
        reason, before = self._take(None), None
        while reason is None:
            tree = self._draft()
            # Where nothing can be guessed, a device need not wait for the host.
            alone = len(tree) == 1 and (before is None or len(before) == 1)
            ahead = alone and not self._chooser.objected
            self._reading = yield Pass(tree, len(self.tokens), ahead)
            self.num_passes += 1
            before = tree
            reason = self._take(tree)
        return "length" if reason == "stop" and self._chooser.was_cut else reason

    def _draft(self) -> DraftTree:
        if self._drafter is None:
            return single(self.tokens[-1])
        decoder = self._decoder
        return self._drafter.tree(decoder.costs, branches=decoder.branches)

    def _take(self, tree: DraftTree | None) -> FinishReason | None:
        """Append what the model writes, for as long as it was guessed.

        Returns:
            Why the answer is over, or None.
        """
        path = [0]
        while True:
            token, scores = self._chooser.choose(
                self._reading, path[-1], len(self.tokens)
            )
            reason = self._reason(token)
            if reason is not None:
                return reason
            self._append(token, scores)
            child = tree.child(path[-1], token) if tree else None
            if child is None:
                break
            path.append(child)
        if tree is not None:
            self._decoder.keep(path)
        return None

    def _reason(self, token: int) -> FinishReason | None:
        if self._cancelled():
            return "cancelled"
        return self._rule.reason(token, self.tokens)

    def _append(self, token: int, scores: FloatArray) -> None:
        self.tokens.append(token)
        self.scores.append(scores)
        if self._drafter is not None:
            self._drafter.see(token)
        if self._on_token is not None:
            self._on_token(token, len(self.tokens))
