"""How an answer is decoded, and what was written, as bins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral

from stablechat.types.base import (
    NEIGHBOUR_REACH,
    NUM_BINS,
    BoxBins,
    FinishReason,
    FloatArray,
    SpanBins,
    Task,
    require,
    require_number,
)

#: All that Qwen2 was made to read at once; room is kept for as many.
MAX_NEW_TOKENS = 32_768


@dataclass(frozen=True)
class GenerationConfig:
    """How an answer is decoded. The default is greedy.

    Attributes:
        max_new_tokens: Longest answer; a box on each of 100 frames takes about 800.
        temperature: 0 is greedy; above it tokens are sampled.
        top_p: Keep the likeliest tokens whose probabilities sum to this.
        seed: Makes sampling repeatable.
        stop_at_last_row: End the answer to a grounding question after the box of its
            span's last frame; what a model adds after it can't matter.
        speculation: Guess rows ahead and have the model check many tokens in one pass.
            The answer is the same; it comes sooner.
        grammar: Let the model write nothing but whole answers of the task's form.
        log_probs: Keep the log-probability of every token.
    """

    max_new_tokens: int = 1024
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop_at_last_row: bool = True
    speculation: bool = True
    grammar: bool = False
    log_probs: bool = False

    def __post_init__(self) -> None:
        require_number(self.max_new_tokens, "max_new_tokens", Integral)
        require_number(self.temperature, "temperature")
        require_number(self.top_p, "top_p")
        require_number(self.seed, "seed", Integral)
        require(
            1 <= self.max_new_tokens <= MAX_NEW_TOKENS,
            f"max_new_tokens must be from 1 to {MAX_NEW_TOKENS}, got "
            f"{self.max_new_tokens}.",
        )
        require(
            math.isfinite(self.temperature) and self.temperature >= 0,
            f"temperature must be 0 or more, got {self.temperature}.",
        )
        require(0 < self.top_p <= 1, f"top_p must be in (0, 1], got {self.top_p}.")


@dataclass(frozen=True)
class Generation:
    """What the model wrote.

    Attributes:
        text: The answer, coordinate tokens included, without the end token.
        token_ids: Its token ids.
        finish_reason: ``"stop"`` (the model ended it), ``"length"`` (the limit cut
            it) or ``"cancelled"``.
        timings: Seconds by stage, for example ``{"decode_seconds": 0.8}``.
        num_passes: Forward passes of the language model after the prompt.
        log_probs: Natural logarithm of each token's probability, if asked for.
        neighbour_probabilities: float64 ``(T, 2 * NEIGHBOUR_REACH + 1)``, for each
            token the probabilities of the bins around it on its own axis, itself in
            the middle; 0 where there is no such bin, and for words. None where the
            model's scores are not known.
    """

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    timings: Mapping[str, float] = field(default_factory=dict)
    num_passes: int = 0
    log_probs: tuple[float, ...] | None = None
    neighbour_probabilities: FloatArray | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        count = len(self.token_ids)
        if self.log_probs is not None:
            require(
                len(self.log_probs) == count,
                f"log_probs must be {count} numbers, got {len(self.log_probs)}.",
            )
        if self.neighbour_probabilities is not None:
            shape = (count, 2 * NEIGHBOUR_REACH + 1)
            require(
                self.neighbour_probabilities.shape == shape,
                f"neighbour_probabilities must be {shape}, "
                f"got {self.neighbour_probabilities.shape}.",
            )


@dataclass(frozen=True)
class CoordinateTokens:
    """Which of a text's coordinate tokens an answer's numbers were read from.

    Attributes:
        written: Axis (``"t"``, ``"w"`` or ``"h"``) and bin of every coordinate token
            in the text, in its order.
        span: Places in ``written`` of the span's start and end; None for one that no
            token gave.
        boxes: ``{frame bin: places of x1, y1, x2, y2}``, only boxes that tokens gave.
    """

    written: tuple[tuple[str, int], ...] = ()
    span: tuple[int | None, int | None] = (None, None)
    boxes: Mapping[int, tuple[int, int, int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class ParsedAnswer:
    """The model's text, read.

    Attributes:
        task: What was asked.
        prose: The text around the coordinates (the caption for ELC).
        span_bins: ``(start, end)``, start <= end, or None when there is none.
        boxes_bins: ``{frame bin: (x1, y1, x2, y2)}`` in ascending frame order. A
            still image's box has the key 0.
        issues: What was odd, one plain sentence each.
        tokens: Where the numbers stand in the text.
    """

    task: Task
    prose: str
    span_bins: SpanBins | None
    boxes_bins: Mapping[int, BoxBins]
    issues: tuple[str, ...] = ()
    tokens: CoordinateTokens = field(default=CoordinateTokens(), compare=False)

    def __post_init__(self) -> None:
        if self.span_bins is not None:
            start, end = self.span_bins
            require(
                0 <= start <= end < NUM_BINS,
                f"span_bins must be ordered bins, got {self.span_bins}.",
            )
        for frame_bin, box in self.boxes_bins.items():
            require(
                0 <= frame_bin < NUM_BINS and all(0 <= v < NUM_BINS for v in box),
                f"boxes_bins must hold bins, got {frame_bin}: {box}.",
            )
