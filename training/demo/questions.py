"""Questions and answers about a batch of scenes, as token sequences.

Every task of the model, in the wording of :mod:`stablechat.prompts`.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor

from stablechat import prompts
from stablechat.model.config import LlavaSTConfig
from stablechat.model.tokens import PromptTokenizer
from stablechat.types import NUM_BINS
from training.demo.disturbance import disturb_box, disturb_span
from training.demo.pieces import (
    CLOSE,
    FIRST_BOX,
    LATER_BOX,
    SILENT,
    STRUCTURE,
    TEXT,
    TIME,
    Piece,
    concatenate,
    fixed,
    from_table,
    single,
)
from training.demo.targets import Targets
from training.synthetic import language
from training.synthetic.world import ACTIONS, COLORS, SHAPES, Scenes

_WORDINGS = 10
_LAST = NUM_BINS - 1
# Tokens of a row: time, ":[", four coordinates, "],", " ".
_ROW = 8


class Questioner:
    """Writes conversations; holds the tokenised wordings on the device.

    Args:
        tokenizer: The demo model's.
        config: Its geometry.
        device: Where sequences are built.
    """

    def __init__(
        self, tokenizer: PromptTokenizer, config: LlavaSTConfig, device: torch.device
    ) -> None:
        self._tokenizer = tokenizer
        self._device = device
        self._base = config.base_vocab_size
        self._temp_input = tokenizer.token_id("<TEMP-INPUT>")
        self._height_input = tokenizer.token_id("<HEIGHT-INPUT>")
        self._questions = {
            task: self._question_table(task) for task in ("stvg", "svg", "tvg", "rec")
        }
        self._captions = self._caption_table(" {}")
        self._openings = self._caption_table("{}", capital=True)
        self.video_head = self._head(image=False)
        self.image_head = self._head(image=True)

    def stvg(self, targets: Targets, length: int, *, noisy: bool = True) -> Piece:
        """Span, then a box for each frame in it."""
        first, last = _span_bins(targets)
        read_first, read_last = disturb_span(first, last, noisy)
        answer = [
            self._text("During the span of {", STRUCTURE, len(first)),
            self._time(read_first, targets.start * _LAST),
            self._time(read_last, targets.end * _LAST),
            self._text("}. Object bounding box: ", STRUCTURE, len(first)),
            self._rows(targets.boxes, read_first, read_last, noisy),
        ]
        return self._finish(self._question("stvg", targets), answer, targets, length)

    def svg(self, targets: Targets, length: int, *, long: bool = False) -> Piece:
        """Boxes for a span that the question gives; any span, not the event's."""
        count = len(targets.start)
        width = torch.rand(count, device=self._device) * (60 if long else 9) + 1
        first = (torch.rand(count, device=self._device) * (_LAST - width)).round()
        last = (first + width).round().clamp(max=_LAST)
        question = self._question("svg", targets)
        is_time = question.read == self._temp_input
        nth = is_time.cumsum(1)
        value = torch.where(nth == 1, first.unsqueeze(1), last.unsqueeze(1))
        question = _with_read(question, is_time, self._base + value)
        rows = self._rows(targets.boxes, first, last, noisy=True)
        return self._finish(question, [rows], targets, length)

    def tvg(self, targets: Targets, length: int) -> Piece:
        """The span only."""
        count = len(targets.start)
        first, last = disturb_span(*_span_bins(targets), noisy=True)
        answer = [
            self._text("{", STRUCTURE, count),
            self._time(first, targets.start * _LAST),
            self._time(last, targets.end * _LAST),
            self._text("}", STRUCTURE, count),
        ]
        return self._finish(self._question("tvg", targets), answer, targets, length)

    def elc(self, targets: Targets, length: int) -> Piece:
        """What happens to the thing in a region, until when, and where."""
        first, last = _span_bins(targets)
        _, read_last = disturb_span(first, last, noisy=True)
        read_last = torch.maximum(read_last, first)
        at_start = _box_at(targets.boxes, first)
        prompt = prompts.elc_prompt(0.0, (0.0, 0.0, 1.0, 1.0))
        question = self._tail(prompt, len(first))
        question = _with_read(
            question,
            question.read == self._temp_input,
            (self._base + first).unsqueeze(1),
        )
        is_height = question.read == self._height_input
        y1, y2 = at_start[:, 1:2], at_start[:, 3:4]
        height = torch.where(is_height.cumsum(1) == 1, y1, y2) * _LAST
        question = _with_read(question, is_height, self._base + NUM_BINS + height)
        answer = [
            self._text("Ends in ", STRUCTURE, len(first)),
            self._time(read_last, targets.end * _LAST),
            self._text(",", STRUCTURE, len(first)),
            from_table(*self._captions, _index(targets.kinds), TEXT),
            self._text(". Object bounding box: ", STRUCTURE, len(first)),
            self._rows(targets.boxes, first, read_last, noisy=True),
        ]
        return self._finish(question, answer, targets, length)

    def rec(self, targets: Targets, length: int) -> Piece:
        """One box in a still image; ``targets.boxes`` is ``(N, 1, 4)``."""
        count = len(targets.start)
        answer = [
            self._text("[", STRUCTURE, count),
            self._box(targets.boxes[:, 0], noisy=True),
            self._text("]", STRUCTURE, count),
        ]
        return self._finish(self._question("rec", targets), answer, targets, length)

    def describe(self, scenes: Scenes, length: int) -> Piece:
        """One sentence about all objects, in the order in which they start."""
        kinds = torch.stack([scenes.color, scenes.shape, scenes.action], -1)
        order = scenes.start.masked_fill(~scenes.exists, 2.0).argsort(1)
        kinds = kinds.gather(1, order.unsqueeze(-1).expand(-1, -1, 3))
        number = scenes.exists.sum(1)
        index = _index(kinds)
        count = len(scenes)
        answer = [from_table(*self._openings, index[:, 0], TEXT)]
        for k in range(1, kinds.shape[1]):
            for text, when in (
                (" while", (number == 2) & (k == 1)),
                (",", (number > 2) & (k < number - 1)),
                (" and", (number > 2) & (k == number - 1)),
            ):
                answer.append(_only(self._text(text, TEXT, count), when))
            piece = from_table(*self._captions, index[:, k], TEXT)
            answer.append(_only(piece, k < number))
        answer.append(self._text(".", TEXT, count))
        question = self._tail(prompts.describe_prompt(), count)
        return concatenate([question, *answer, self._end(count)], length)

    def _finish(
        self, question: Piece, answer: list[Piece], targets: Targets, length: int
    ) -> Piece:
        end = self._end(len(targets.start))
        piece = concatenate([question, *answer, end], length)
        kind = piece.kind * targets.asked.unsqueeze(1)
        return Piece(piece.read, piece.write, kind, piece.length)

    def _rows(self, boxes: Tensor, first: Tensor, last: Tensor, noisy: bool) -> Piece:
        """A row for each frame from ``first`` to ``last`` (whole bins)."""
        count, frames = boxes.shape[:2]
        bins = (first.unsqueeze(1) + torch.arange(frames, device=self._device)).clamp(
            max=_LAST
        )
        along = boxes.gather(1, bins.long().unsqueeze(-1).expand(-1, -1, 4))
        value = self._coordinate_rows(along)
        read = self._coordinate_rows(disturb_box(along, noisy))
        time = (self._base + bins).unsqueeze(-1)
        opening = self._encoded(":[").expand(count, frames, 1)
        closing = self._encoded("], ").expand(count, frames, 2).clone()
        number = (last - first).long() + 1
        is_last = torch.arange(frames, device=self._device) == number.unsqueeze(1) - 1
        full_stop = self._encoded("].")
        closing[..., 0] = torch.where(is_last, full_stop[0], closing[..., 0])
        kind = torch.full((count, frames, _ROW), STRUCTURE, device=self._device)
        kind[..., 2:6] = LATER_BOX
        # Whether another row follows: the token that ends the answer.
        kind[..., 6] = CLOSE
        kind[:, 0, 2:6] = FIRST_BOX
        return Piece(
            torch.cat([time, opening, read, closing], -1).flatten(1),
            torch.cat([time, opening, value, closing], -1).flatten(1),
            kind.flatten(1),
            number * _ROW - 1,
        )

    def _box(self, box: Tensor, noisy: bool) -> Piece:
        read = self._coordinate_rows(disturb_box(box.unsqueeze(1), noisy))[:, 0]
        length = torch.full((len(box),), 4, device=self._device)
        kind = torch.full((len(box), 4), FIRST_BOX, device=self._device)
        return Piece(read, self._coordinate_rows(box), kind, length)

    def _coordinate_rows(self, boxes: Tensor) -> Tensor:
        """Unit x1, y1, x2, y2 as rows: widths are the third table, heights second."""
        width, height = self._base + 2 * NUM_BINS, self._base + NUM_BINS
        table = torch.tensor([width, height, width, height], device=boxes.device)
        return table + boxes * _LAST

    def _time(self, read_bin: Tensor, position: Tensor) -> Piece:
        return single(self._base + read_bin, self._base + position, TIME)

    def _question(self, task: str, targets: Targets) -> Piece:
        wording = torch.randint(_WORDINGS, (len(targets.start),), device=self._device)
        index = _index(targets.said, unsaid=True) * _WORDINGS + wording
        return from_table(*self._questions[task], index, SILENT)

    def _question_table(self, task: str) -> tuple[Tensor, Tensor]:
        rng = random.Random(0)
        texts = []
        for color in range(len(COLORS) + 1):
            for shape in range(len(SHAPES) + 1):
                for action in range(len(ACTIONS) + 1):
                    for _ in range(_WORDINGS):
                        words = language.query(color, shape, action, rng)
                        texts.append(_prompt(task, words))
        # The same wording is drawn many times.
        tails = {text: self._tokenizer.encode_tail(text) for text in set(texts)}
        return self._table([tails[text] for text in texts])

    def _caption_table(self, form: str, capital: bool = False) -> tuple[Tensor, Tensor]:
        rows = []
        for color in range(len(COLORS)):
            for shape in range(len(SHAPES)):
                for action in range(len(ACTIONS)):
                    text = language.caption(color, shape, action)
                    text = text[0].upper() + text[1:] if capital else text
                    rows.append(self._tokenizer.encode(form.format(text)))
        return self._table(rows)

    def _table(self, rows: list[list[int]]) -> tuple[Tensor, Tensor]:
        lengths = torch.tensor([len(row) for row in rows])
        ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        return ids.to(self._device), lengths.to(self._device)

    def _head(self, *, image: bool) -> Tensor:
        """Ids before the question: the system's turn and the visual placeholders."""
        encoded = self._tokenizer.encode_prompt("x", image=image)
        return encoded.input_ids[: encoded.visual.stop].to(self._device)

    def _tail(self, prompt: str, count: int) -> Piece:
        ids = torch.tensor(self._tokenizer.encode_tail(prompt), device=self._device)
        return fixed(ids, count, SILENT)

    def _text(self, text: str, kind: int, count: int) -> Piece:
        return fixed(self._encoded(text), count, kind)

    def _end(self, count: int) -> Piece:
        return self._text("<|im_end|>", STRUCTURE, count)

    def _encoded(self, text: str) -> Tensor:
        return torch.tensor(self._tokenizer.encode(text), device=self._device)


def _prompt(task: str, words: str) -> str:
    if task == "svg":
        return prompts.svg_prompt(words, (0.0, 1.0))
    return {
        "stvg": prompts.stvg_prompt,
        "tvg": prompts.tvg_prompt,
        "rec": prompts.rec_prompt,
    }[task](words)


def _index(kinds: Tensor, unsaid: bool = False) -> Tensor:
    """Colour, shape and action ``(..., 3)`` as one row of a table."""
    extra = int(unsaid)
    color, shape, action = kinds.unbind(-1)
    return (color * (len(SHAPES) + extra) + shape) * (len(ACTIONS) + extra) + action


def _only(piece: Piece, when: Tensor) -> Piece:
    """The piece where ``when`` holds, nothing elsewhere."""
    return Piece(piece.read, piece.write, piece.kind, piece.length * when)


def _with_read(piece: Piece, where: Tensor, rows: Tensor) -> Piece:
    read = torch.where(where, rows.float(), piece.read)
    return Piece(read, piece.write, piece.kind, piece.length)


def _span_bins(targets: Targets) -> tuple[Tensor, Tensor]:
    return (targets.start * _LAST).round(), (targets.end * _LAST).round()


def _box_at(boxes: Tensor, bins: Tensor) -> Tensor:
    index = bins.long().clamp(max=boxes.shape[1] - 1).view(-1, 1, 1)
    return boxes.gather(1, index.expand(-1, 1, 4)).squeeze(1)
