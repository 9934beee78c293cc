"""Answers as plain values that JSON can hold, and back. No pickle.

Unlike ``grounding.json``, which is for other programs, nothing that the page shows or
cuts from gets lost: the video's every property, sentences that can be translated, the
way the clip was drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_origin

import numpy as np
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override
from cattrs.strategies import configure_tagged_union

from stablechat.sentences import Sentence, sentence_data
from stablechat.types import Generation
from ui.outcomes import Answer, Outcome
from ui.together import Together


def value_converter(files: Path) -> Converter:
    """Turns this package's types into plain values and back.

    Args:
        files: Paths are kept relative to it, and lead nowhere else: a file that is
            outside or gone makes the value that names it unreadable.
    """
    made = Converter(detailed_validation=False)
    _add_simple(made)
    _add_paths(made, files)
    _add_answers(made)
    return made


def _add_simple(made: Converter) -> None:
    # Those of numpy are no numbers that JSON knows.
    made.register_unstructure_hook(float, float)
    made.register_unstructure_hook(int, int)
    made.register_unstructure_hook(str, sentence_data)
    made.register_structure_hook(str, lambda value, _: _text(value))
    made.register_unstructure_hook(bytes, bytes.hex)
    made.register_structure_hook(bytes, lambda value, _: bytes.fromhex(value))
    made.register_unstructure_hook(Fraction, str)
    made.register_structure_hook(Fraction, lambda value, _: Fraction(value))
    made.register_unstructure_hook_func(_is_array, lambda array: array.tolist())
    made.register_structure_hook_func(_is_array, lambda value, _: np.array(value))


def _is_array(kind: Any) -> bool:
    return kind is np.ndarray or get_origin(kind) is np.ndarray


def _text(value: object) -> str:
    if isinstance(value, dict):
        return Sentence.from_data(value)
    if not isinstance(value, str):
        raise TypeError(f"a text must be a text, got {value!r}")
    return value


def _add_paths(made: Converter, files: Path) -> None:
    def kept(path: Path) -> str:
        return path.resolve().relative_to(files).as_posix()

    def found(value: object, _: object) -> Path:
        path = (files / _text(value)).resolve()
        if not path.is_relative_to(files) or not path.exists():
            raise ValueError("a file is gone")
        return path

    made.register_unstructure_hook(Path, kept)
    made.register_structure_hook(Path, found)


def _add_answers(made: Converter) -> None:
    made.register_unstructure_hook(Generation, _without_tokens(made))
    configure_tagged_union(Answer, made)
    # JSON already; its sentences are texts in there.
    plain = override(unstruct_hook=lambda data: data)
    made.register_unstructure_hook(
        Outcome, make_dict_unstructure_fn(Outcome, made, data=plain)
    )
    configure_tagged_union(Outcome | Together, made)


def _without_tokens(made: Converter) -> Callable[[Generation], dict[str, Any]]:
    """The model's tokens and their scores are large, and no longer needed."""
    unstructure = make_dict_unstructure_fn(Generation, made)

    def bare(generation: Generation) -> dict[str, Any]:
        return unstructure(
            replace(
                generation, token_ids=(), log_probs=None, neighbour_probabilities=None
            )
        )

    return bare
