"""What the library says, in the language of the page.

Its errors and remarks are sentences that know their English words and their values
(``stablechat/sentences.py``); the English words are the keys of our table. What is not
in there is shown as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from stablechat.errors import StableChatError
from stablechat.sentences import Sentence, Value
from ui.i18n import Language

_TEXTS = Path(__file__).parent / "texts"

#: English words with braces for the values, and what they are in another language.
SENTENCES: Mapping[Language, Mapping[str, str]] = {
    "zh": json.loads((_TEXTS / "sentences.zh.json").read_text(encoding="utf-8"))
}


def in_language(language: Language, said: str | StableChatError) -> str:
    """A sentence of the library's, or an error's line, in a language.

    Args:
        language: Which; sentences are English.
        said: It.
    """
    sentence = said.sentence if isinstance(said, StableChatError) else said
    known = sentence if isinstance(sentence, Sentence) else Sentence(sentence)
    words = SENTENCES.get(language, {}).get(known.template)
    if words is None:
        return str(sentence)
    values = {name: _value(language, value) for name, value in known.values.items()}
    try:
        return words.format(**values) if "{" in words else words
    except (KeyError, ValueError):
        # A process that a broken file took over may send any values.
        return str(sentence)


def _value(language: Language, value: Value) -> Value:
    return in_language(language, value) if isinstance(value, Sentence) else value
