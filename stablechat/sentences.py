"""Plain sentences that can be said in other languages.

What is wrong, or odd, is said in English and with its numbers in place; a program that
speaks to people in their language needs to know which sentence it is and what its
values are. A :class:`Sentence` is a string like any other that remembers both.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

Value = str | int | float

#: Characters of a value that came from elsewhere.
MAX_VALUE_LENGTH = 300


class Sentence(str):
    """A finished sentence.

    Attributes:
        template: The English words, with braces for the values.
        values: What fills the braces; a value may be a sentence itself.
    """

    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, /, **values: object) -> Sentence:
        """Put the values into the words.

        Args:
            template: The English words; without values, as they are.
            values: What fills the braces. What is no number is kept as its text.
        """
        made = super().__new__(cls, template.format(**values) if values else template)
        made.template = template
        made.values = {name: _plain(value) for name, value in values.items()}
        return made

    def __getnewargs__(self) -> tuple[str]:
        """Copies and pickles are made of the text; the rest follows as state."""
        return (str(self),)

    def to_data(self) -> dict[str, Any]:
        """As JSON can hold it."""
        values = {
            name: value.to_data() if isinstance(value, Sentence) else value
            for name, value in self.values.items()
        }
        return {"text": str(self), "template": self.template, "values": values}

    @classmethod
    def from_data(cls, data: object) -> Sentence:
        """The inverse of :meth:`to_data`; believes nothing.

        The text is taken as it is: a template from elsewhere is never filled in here,
        only compared with known ones.

        Args:
            data: From :meth:`to_data`, or a plain text.

        Returns:
            A sentence of printable characters. What makes no sense is left out.
        """
        told = data if isinstance(data, dict) else {"text": data}
        made = cls(printable(told.get("text")))
        template, values = told.get("template"), told.get("values")
        if isinstance(template, str) and isinstance(values, dict):
            known = {str(name): _value(value) for name, value in values.items()}
            made.template, made.values = template, known
        return made


def sentence_data(text: str) -> dict[str, Any] | str:
    """A sentence, or a plain text, as JSON can hold it."""
    return text.to_data() if isinstance(text, Sentence) else text


def printable(value: object) -> str:
    """A text from elsewhere in one line."""
    return "".join(character for character in str(value) if character.isprintable())


def _plain(value: object) -> Value:
    if isinstance(value, Sentence | int | float):
        return value
    # Those of numpy are no ints and floats.
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    said = getattr(value, "sentence", None)  # An error of ours.
    return said if isinstance(said, Sentence) else str(value)


def _value(value: object) -> Value:
    if isinstance(value, int | float):
        return value
    if isinstance(value, dict):
        return Sentence.from_data(value)
    return printable(value)[:MAX_VALUE_LENGTH]
