"""Captions of ELC answers: BLEU, METEOR, ROUGE-L and CIDEr, by pycocoevalcap.

An extra (requirements-eval.txt), because METEOR and the tokenizer are Java programs
that come with it. All run on this machine.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from evaluation.predictions import Reading
from evaluation.rows import ResultRow
from stablechat.errors import InputError
from stablechat.parser import parse_answer

_BLEU_ORDER = 4
_RELEASED_DECIMALS = 3
#: What METEOR separates its fields with; it must not stand in a caption.
_SEPARATOR = "|||"


class CaptionsUnavailableError(InputError):
    """Captions can't be scored on this machine."""


def caption_metrics(rows: Sequence[ResultRow], reading: Reading) -> dict[str, float]:
    """Score the captions of ELC rows.

    Args:
        rows: Rows of task ELC.
        reading: ``released`` takes what stands before the answer's first full stop and
            behind its last comma, leaves out rows without an answer and rounds to
            three decimals, as the published code does; ``strict`` takes the words of
            the answer and counts every row.

    Returns:
        ``Bleu_1`` to ``Bleu_4``, ``METEOR``, ``ROUGE_L`` and ``CIDEr``; all 0 where
        there is no row.

    Raises:
        CaptionsUnavailableError: pycocoevalcap or Java is missing, or Java failed.
    """
    check_available()
    if reading == "released":
        rows = [row for row in rows if not row.missing]
        answers = [_released_caption(row) for row in rows]
    else:
        answers = [_strict_caption(row) for row in rows]
    found = _score([row.caption for row in rows], answers)
    if reading == "released":
        return {name: round(value, _RELEASED_DECIMALS) for name, value in found.items()}
    return found


def check_available() -> None:
    """Say what is missing for scoring captions.

    Raises:
        CaptionsUnavailableError: Something is.
    """
    if importlib.util.find_spec("pycocoevalcap") is None:
        raise CaptionsUnavailableError(
            "Captions are not scored: pycocoevalcap is not installed; "
            "pip install -r requirements-eval.txt."
        )
    if shutil.which("java") is None:
        raise CaptionsUnavailableError(
            "Captions are not scored: METEOR and its tokenizer need Java, and there is "
            "no java here; sudo apt-get install default-jre-headless."
        )


def _released_caption(row: ResultRow) -> str:
    return (row.outputs or "").split(".")[0].split(",")[-1]


def _strict_caption(row: ResultRow) -> str:
    return parse_answer(row.outputs or "", "elc").prose


def _score(truths: Sequence[str], answers: Sequence[str]) -> dict[str, float]:
    names = [f"Bleu_{n}" for n in range(1, _BLEU_ORDER + 1)]
    names += ["METEOR", "ROUGE_L", "CIDEr"]
    if not truths:
        return dict.fromkeys(names, 0.0)
    try:
        values = list(_raw_scores(_tokenized(truths), _tokenized(answers)))
    except (OSError, ValueError) as error:  # an unreadable folder, a Java that died
        raise CaptionsUnavailableError(
            f"Captions can't be scored: the Java programs of pycocoevalcap failed "
            f"({' '.join(str(error).split())})."
        ) from error
    return dict(zip(names, values, strict=True))


def _raw_scores(
    truths: dict[int, list[str]], answers: dict[int, list[str]]
) -> Iterator[float]:
    bleu = _scorer("bleu.bleu", "Bleu")(_BLEU_ORDER)
    yield from bleu.compute_score(truths, answers, verbose=0)[0]
    with _meteor() as meteor:
        yield meteor.compute_score(truths, answers)[0]
    yield float(_scorer("rouge.rouge", "Rouge")().compute_score(truths, answers)[0])
    yield float(_scorer("cider.cider", "Cider")().compute_score(truths, answers)[0])


def _tokenized(captions: Sequence[str]) -> dict[int, list[str]]:
    """Each caption in words; one that is empty stays in its place."""
    lines = {
        number: [{"caption": " ".join(text.replace(_SEPARATOR, " ").split())}]
        for number, text in enumerate(captions)
    }
    tokenizer = _scorer("tokenizer.ptbtokenizer", "PTBTokenizer")()
    words: dict[int, list[str]] = tokenizer.tokenize(lines)
    if not any(any(found) for found in words.values()) and any(
        map(str.strip, captions)
    ):
        raise ValueError("the tokenizer found no words")
    # It loses empty lines at the end.
    return {number: words.get(number, [""]) for number in lines}


@contextmanager
def _meteor() -> Iterator[Any]:
    """METEOR's Java program; it has ended when this has."""
    meteor = _scorer("meteor.meteor", "Meteor")()
    try:
        yield meteor
    finally:
        process = meteor.meteor_p
        if meteor.lock.locked():  # by a call that failed; its __del__ would wait for it
            meteor.lock.release()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(BrokenPipeError):  # what it was not given is not wanted
                stream.close()


def _scorer(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"pycocoevalcap.{module}"), name)
