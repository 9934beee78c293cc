"""What a person types, turned into the question the model was trained on.

The wording is part of the model: these sentences are the ones LLaVA-ST was trained
and evaluated with, and a test pins each of them. Pure text; no torch.

Continuous coordinates are written ``<t0.087>``, ``<w0.352>``, ``<h0.442>`` (unit
values, three decimals); the tokenizer turns them into input tokens.
"""

from __future__ import annotations

import re
import unicodedata

from stablechat.errors import InputError

#: Longest question taken from a person, in characters.
MAX_QUERY_CHARACTERS = 1000

DESCRIBE_QUESTION = "Please describe the video."

_STVG_SUFFIX = (
    "Please firstly give the timestamps, and then give the spatial bounding box "
    "corresponding to each timestamp in the time period."
)
_SVG_SUFFIX = (
    "Please give the spatial bounding box corresponding to each timestamp in the "
    "time period."
)
_ELC_SUFFIX = (
    "Please firstly give the end timestamp, then give the event associated with the "
    "object/subject, finally give the spatial bounding box corresponding to each "
    "timestamp in the time period."
)

# A control or coordinate token of the vocabulary, or a unit value, typed by a person.
_TOKEN_LIKE = re.compile(r"<(?=\|?/?[A-Za-z])")


def clean_query(query: str) -> str:
    """Make a typed question safe and tidy to put inside a prompt.

    White space is collapsed, control characters go, and a ``<`` that could start a
    token of the model's vocabulary is set off with a space so that typed text stays
    text.

    Args:
        query: What the person typed.

    Returns:
        The same words on one line.

    Raises:
        InputError: It is empty or too long.
    """
    kept = "".join(
        " " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char
        for char in query
    )
    text = _TOKEN_LIKE.sub("< ", " ".join(kept.split()))
    if not text:
        raise InputError(
            'The question is empty; type what to look for, such as "the red circle '
            'moving left".'
        )
    if len(text) > MAX_QUERY_CHARACTERS:
        raise InputError(
            "The question has {count} characters; the limit is "
            "{max_query_characters}. Please shorten it.",
            count=len(text),
            max_query_characters=MAX_QUERY_CHARACTERS,
        )
    return text


def event_of(query: str) -> str:
    """The query as a phrase that can stand inside a sentence.

    Raises:
        InputError: As for :func:`clean_query`.
    """
    return clean_query(query).rstrip(".?! ") or clean_query(query)


def stvg_prompt(query: str) -> str:
    """When does the event happen, and where is its subject in each frame?"""
    return (
        f"At which time interval in the video can we see {event_of(query)} occurring? "
        "Please describe the location of the corresponding subject/object in this "
        f"video.{_STVG_SUFFIX}"
    )


def svg_prompt(query: str, span_unit: tuple[float, float]) -> str:
    """Where is the subject in each frame of a given stretch of time?"""
    start, end = (format_unit("t", value) for value in span_unit)
    return f"Between {{{start},{end}}}, where is {event_of(query)}? {_SVG_SUFFIX}"


def elc_prompt(start_unit: float, box_unit: tuple[float, float, float, float]) -> str:
    """What happens to the thing in this region from this moment on, until when?"""
    region = ", ".join(
        format_unit(axis, value) for axis, value in zip("whwh", box_unit, strict=True)
    )
    return (
        f"Starts in {format_unit('t', start_unit)}, describe the event about "
        f"subject/object located within the region [{region}]. {_ELC_SUFFIX}"
    )


def tvg_prompt(query: str) -> str:
    """When does the event happen?"""
    return (
        f"Give you a textual query: '{event_of(query)}'. When does the described "
        "content occur in the video? Please return the start and end timestamps."
    )


def rec_prompt(query: str) -> str:
    """Where is the thing in this still image?"""
    return f"Where is {event_of(query)} situated within this image?"


def describe_prompt(question: str | None = None) -> str:
    """A plain question, or the standard request for a description."""
    return DESCRIBE_QUESTION if question is None else clean_query(question)


def format_unit(axis: str, value: float) -> str:
    """Write a unit value as a coordinate input token.

    Args:
        axis: ``"t"``, ``"w"`` or ``"h"``.
        value: 0..1; clipped, and rounded to the three decimals the model knows.

    Returns:
        For example ``"<t0.087>"``.
    """
    return f"<{axis}{min(max(value, 0.0), 1.0):.3f}>"
