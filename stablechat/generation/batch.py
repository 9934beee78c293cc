"""Writing several answers side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import dataclass

import torch

from stablechat.generation.batch_decoder import Seat
from stablechat.generation.decoder import Reading
from stablechat.generation.decoders import batch_decoder_for, is_plain
from stablechat.generation.loop import (
    Asked,
    generate,
    make_writer,
    timings_of,
    to_generation,
)
from stablechat.generation.stopping import never
from stablechat.generation.threads import decoding_threads
from stablechat.generation.writer import Pass, Writer
from stablechat.model.modeling import LlavaST
from stablechat.model.tokens import PromptTokenizer
from stablechat.types import FinishReason, Generation, GenerationConfig

#: Answers that are written at once.
DEFAULT_SEATS = 8


@dataclass
class _Written:
    """An answer on its way.

    Attributes:
        number: Which of the questions it answers.
        config: How it is decoded.
        writer: Writes it.
        passes: What the writer wants to have read.
        started: Seconds, when the prompt was begun.
        prefilled: Seconds, when it was read.
        wanted: The next pass; None before the first.
    """

    number: int
    config: GenerationConfig
    writer: Writer
    passes: Generator[Pass, Reading, FinishReason]
    started: float
    prefilled: float
    wanted: Pass | None = None


@torch.inference_mode()
def generate_batch(
    model: LlavaST,
    tokenizer: PromptTokenizer,
    asked: Iterable[Asked],
    *,
    seats: int = DEFAULT_SEATS,
    end_token_ids: Collection[int] | None = None,
    on_answer: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] = never,
) -> list[Generation]:
    """Write an answer to each of several questions.

    A seat that is free takes the next question, so long answers hold up nobody. The
    answers are those of :func:`stablechat.generation.generate`. A model that is spread
    over devices, or offloaded, writes one after the other.

    Args:
        model: The whole model.
        tokenizer: Its tokenizer.
        asked: The questions, each taken when there is a seat for it. Those about one
            video should stand together: what they have in common is read once.
        seats: Answers that are written at once; each holds a cache of its own.
        end_token_ids: Tokens that end an answer; None asks the tokenizer.
        on_answer: Called with the number of answers that are finished.
        cancelled: Asked before every pass and every token, as is that of each question,
            which ends its answer only and frees its seat.

    Returns:
        In the order of the questions; when it was cancelled, of those that were begun.
    """
    batch = _Batch(model, tokenizer, iter(asked), end_token_ids, on_answer, cancelled)
    if is_plain(model):
        with decoding_threads(model):
            batch.run(seats)
    else:
        batch.run_alone()
    return [answer for _, answer in sorted(batch.answers.items())]


class _Batch:
    def __init__(
        self,
        model: LlavaST,
        tokenizer: PromptTokenizer,
        waiting: Iterator[Asked],
        end_token_ids: Collection[int] | None,
        on_answer: Callable[[int], None] | None,
        cancelled: Callable[[], bool],
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._waiting = enumerate(waiting)
        self._end_token_ids = end_token_ids
        self._on_answer = on_answer
        self._cancelled = cancelled
        self.answers: dict[int, Generation] = {}

    def run(self, num_seats: int) -> None:
        """Side by side."""
        decoder = batch_decoder_for(self._model, num_seats)
        busy: dict[int, _Written] = {}
        while True:
            for seat in sorted(set(range(num_seats)) - busy.keys()):
                begun = self._begin(decoder.seat(seat))
                if begun is None:
                    break
                busy[seat] = begun
            if not busy:
                return
            decoder.set_busy(len(busy))
            wanted = {seat: each.wanted for seat, each in busy.items()}
            found = decoder.read_all({seat: p for seat, p in wanted.items() if p})
            for seat, read in zip(wanted, found, strict=True):
                if not self._advance(busy[seat], read):
                    del busy[seat]

    def run_alone(self) -> None:
        """One after the other."""
        for number, asked in self._waiting:
            answer = generate(
                self._model,
                self._tokenizer,
                asked.inputs_embeds,
                asked.config,
                task=asked.task,
                end_token_ids=self._end_token_ids,
                last_row=asked.last_row,
                cancelled=self._stop(asked),
            )
            self._finish(number, answer)
            if self._cancelled():
                return

    def _begin(self, seat: Seat) -> _Written | None:
        """Seat the next question whose answer needs a pass."""
        while not self._cancelled():
            number, asked = next(self._waiting, (0, None))
            if asked is None:
                return None
            started = time.perf_counter()
            writer = make_writer(
                self._model,
                self._tokenizer,
                seat,
                asked,
                self._end_token_ids,
                cancelled=self._stop(asked),
            )
            prefilled = time.perf_counter()
            passes = writer.passes()
            each = _Written(number, asked.config, writer, passes, started, prefilled)
            if self._advance(each, None):
                return each
        return None

    def _advance(self, each: _Written, read: Reading | None) -> bool:
        """Let a writer take what was read; whether it wants more."""
        try:
            # A generator that has not begun takes None only.
            each.wanted = each.passes.send(read)  # type: ignore[arg-type]
        except StopIteration as over:
            seconds = time.perf_counter() - each.prefilled
            prefill = each.prefilled - each.started
            timings = timings_of(prefill, seconds, len(each.writer.tokens))
            answer = to_generation(
                self._tokenizer, each.writer, over.value, each.config, timings
            )
            self._finish(each.number, answer)
            return False
        return True

    def _stop(self, asked: Asked) -> Callable[[], bool]:
        return lambda: self._cancelled() or asked.cancelled()

    def _finish(self, number: int, answer: Generation) -> None:
        self.answers[number] = answer
        if self._on_answer is not None:
            self._on_answer(len(self.answers))
