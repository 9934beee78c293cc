"""Lines of conversations, and what the model needs of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from stablechat.errors import InputError, StableChatError
from stablechat.loader import LoadedModel
from stablechat.model.preprocess import preprocess
from stablechat.types import TimeSpan
from stablechat.video import sample_frames
from training.finetune.batches import Item
from training.finetune.examples import encode_example
from training.finetune.features import FeatureCache


@dataclass(frozen=True)
class Conversation:
    """A line of a file.

    Attributes:
        id: Names it in messages.
        video: Path relative to the folder of videos.
        segment: The part of the video that is asked about; None for all of it.
        question: Coordinates as ``<t0.087>`` and the like.
        answer: Likewise.
    """

    id: str
    video: str
    segment: TimeSpan | None
    question: str
    answer: str


def read_conversations(paths: Iterable[Path]) -> list[Conversation]:
    """Read files of ``training.vidor``.

    Raises:
        InputError: A file can't be read, or a line is not in the format.
    """
    found = [row for path in paths for row in _read_file(path)]
    if not found:
        raise InputError("There are no conversations to train on.")
    return found


def _read_file(path: Path) -> Iterator[Conversation]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read ({error}).") from error
    for number, line in enumerate(lines, 1):
        try:
            yield _read_line(json.loads(line))
        except (ValueError, TypeError, KeyError, InputError) as error:
            raise InputError(f"{path}, line {number}: {error!r}.") from error


def _read_line(raw: dict[str, Any]) -> Conversation:
    segment = raw.get("segment_seconds")
    texts = {name: raw[name] for name in ("id", "video", "question", "answer")}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise InputError(f"{name} must be text, got {value!r}")
    if ".." in Path(texts["video"]).parts or Path(texts["video"]).is_absolute():
        raise InputError(f"the video {texts['video']!r} must stay in its folder")
    return Conversation(segment=TimeSpan(*segment) if segment else None, **texts)


class Conversations(Dataset[Item]):
    """Conversations with their videos, read when they are asked for.

    Args:
        rows: What to train on.
        videos: The folder of videos.
        loaded: The model that is trained.
        cache: What frozen parts made of the videos; None for pixels.
    """

    def __init__(
        self,
        rows: Sequence[Conversation],
        videos: Path,
        loaded: LoadedModel,
        cache: FeatureCache | None = None,
    ) -> None:
        self.rows = rows
        self._videos = videos
        self._tokenizer = loaded.tokenizer
        self._config = loaded.model.config
        self._cache = cache

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Item:
        row = self.rows[index]
        try:
            example = encode_example(
                self._tokenizer, self._config, row.question, row.answer
            )
            return Item(row.id, example, self._see(row))
        except StableChatError as error:
            return Item(row.id, problem=str(error))

    def _see(self, row: Conversation) -> Tensor:
        path = self._videos / row.video
        if self._cache is not None:
            return self._cache.read(path, row.segment)
        return self.pixels(path, row.segment)

    def pixels(self, path: Path, segment: TimeSpan | None) -> Tensor:
        """The tower's pictures of a video, ``(N, 3, S, S)``.

        Raises:
            VideoError: It can't be read.
        """
        sample = sample_frames(path, self._config.num_frames, span=segment)
        return preprocess(sample.frames, self._config.image_size)

    def videos(self) -> Iterator[tuple[Path, TimeSpan | None]]:
        """Each video, or part of one, once."""
        pairs = {(row.video, row.segment): None for row in self.rows}
        yield from ((self._videos / video, segment) for video, segment in pairs)

    @property
    def lengths(self) -> list[int]:
        """How long the answers are: what batches of like lengths are made by."""
        return [len(row.answer) for row in self.rows]
