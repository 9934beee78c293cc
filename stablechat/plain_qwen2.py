"""The language model by itself, for servers that know Qwen2 and no LLaVA-ST.

A shared server (vLLM, SGLang) holds what :func:`export_qwen2` wrote: a stock
``Qwen2ForCausalLM`` whose vocabulary ends with the 300 coordinate tokens. This side
keeps the tower and the packer, sends it prompt embeddings
(:func:`embed_question`) and reads the text that comes back (:func:`read_answer`).
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from stablechat.errors import InputError
from stablechat.folders import made_folder
from stablechat.grounding import to_grounding
from stablechat.loader import LoadedModel
from stablechat.parser import parse_answer
from stablechat.questions import Question
from stablechat.turn import Cancelled, Progress
from stablechat.types import FloatArray, Generation, Grounding, TimeSpan, VideoInfo

if TYPE_CHECKING:
    from stablechat.chat import StableChat

_TOKENIZER = "tokenizer.json"
_MAX_SHARD_SIZE = "4GB"


# Compared by identity: tensors have no single truth.
@dataclass(frozen=True, eq=False)
class EmbeddedQuestion:
    """A question as a language model takes it.

    Attributes:
        question: What is asked.
        embeddings: ``(L, hidden)`` on the CPU, visual tokens included.
        video: About what.
        pts_seconds: float64 ``(N,)``, times of the frames that the model saw.
    """

    question: Question
    embeddings: Tensor
    video: VideoInfo
    pts_seconds: FloatArray


def embed_question(
    chat: StableChat,
    video: str | Path,
    question: Question,
    segment: TimeSpan | None = None,
    *,
    on_progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> EmbeddedQuestion:
    """A question as a language model elsewhere takes it.

    Args:
        chat: Its tower and packer are used.
        video: A video file.
        question: What is asked.
        segment: Look at this part of the video only.
        on_progress: Called with stage and fraction.
        cancelled: Asked often; the work stops when it says True.

    Raises:
        VideoError, CancelledError, OutOfMemoryError: As for ``StableChat.ground``.
    """
    with chat.turn(on_progress, cancelled) as turn:
        encoded = turn.encode_video(Path(video), segment)
        prompt = question.prompt(encoded.video, encoded.pts_seconds)
        embeddings = turn.embed(encoded, prompt).cpu()
    return EmbeddedQuestion(question, embeddings, encoded.video, encoded.pts_seconds)


def read_answer(asked: EmbeddedQuestion, text: str, model: str) -> Grounding:
    """What a server's answer means.

    Args:
        asked: What it was sent.
        text: What it wrote, special tokens included.
        model: What to call it.

    Returns:
        The answer, without confidence: a server tells no probabilities.
    """
    question = asked.question
    return to_grounding(
        parse_answer(text, question.task),
        Generation(text, (), "stop"),
        asked.pts_seconds,
        asked.video,
        question.query,
        model,
        asked_span=question.span,
        asked_start_seconds=question.start_seconds,
    )


def export_qwen2(loaded: LoadedModel, folder: Path) -> None:
    """Write the language model as a stock ``Qwen2ForCausalLM`` with its tokenizer.

    Args:
        loaded: The model, adapters merged, in the type that is to be written.
        folder: Where; must not be there. It appears when it is complete.

    Raises:
        InputError: The folder is there or can't be written, or the weights are
            quantised.
    """
    if loaded.quantization is not None:
        raise InputError("Quantised weights can't be exported; leave --quantization.")
    if folder.exists():
        raise InputError(f"{folder} is there already; choose another --out.")
    part = folder.with_name(f".{folder.name}.part")
    with made_folder(folder.parent):
        shutil.rmtree(part, ignore_errors=True)
        try:
            _write(loaded, part)
            os.replace(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _write(loaded: LoadedModel, folder: Path) -> None:
    language = loaded.model.language_model
    language.save_pretrained(folder, max_shard_size=_MAX_SHARD_SIZE)
    ends = list(loaded.end_token_ids)
    _write_json(folder / "generation_config.json", {"eos_token_id": ends})
    shutil.copy(loaded.folder / _TOKENIZER, folder / _TOKENIZER)
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": loaded.tokenizer.decode(ends[:1]),
            "clean_up_tokenization_spaces": False,
        },
    )


def _write_json(path: Path, data: dict[str, object]) -> None:
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
