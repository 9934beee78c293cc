"""The page's words, in English and Chinese.

Labels travel to the browser as keys and are looked up there (:func:`label`); texts
that the server writes (the answer line, the table) are made here in the language
the request asks for (:func:`text`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import gradio as gr

Language = Literal["en", "zh"]

#: Tags a browser may send for Chinese; Gradio looks for an exact match.
_CHINESE_TAGS = ("zh", "zh-CN", "zh-SG", "zh-TW", "zh-HK", "zh-Hans", "zh-Hant")

# Gradio's own keys ("video", "stop", ...) share the browser's table.
_PREFIX = "stablechat_"


def _read(language: Language) -> dict[str, str]:
    path = Path(__file__).parent / "texts" / f"{language}.json"
    table: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return table


TABLES: dict[Language, dict[str, str]] = {"en": _read("en"), "zh": _read("zh")}


def browser_tables() -> gr.I18n:
    """The tables that ``launch(i18n=...)`` sends to the browser."""
    english, chinese = (
        {_PREFIX + k: v for k, v in t.items()} for t in (TABLES["en"], TABLES["zh"])
    )
    return gr.I18n(en=english, **dict.fromkeys(_CHINESE_TAGS, chinese))


_lookup = gr.I18n()


def label(key: str) -> str:
    """A label that the browser translates.

    Returns:
        Gradio's key object; typed as the string that components take.
    """
    if key not in TABLES["en"]:
        raise KeyError(key)
    return _lookup(_PREFIX + key)  # type: ignore[return-value]


def text(language: Language, key: str, **values: object) -> str:
    """A text that the server writes.

    Args:
        language: Which table.
        key: Which entry.
        values: What fills its braces.
    """
    return TABLES[language][key].format(**values)


def language_of(accept_language: str | None) -> Language:
    """Pick the language from an ``Accept-Language`` header.

    Args:
        accept_language: For example ``"zh-CN,zh;q=0.9,en;q=0.8"``.

    Returns:
        The most wanted language that we have; English when there is none.
    """
    best: tuple[float, Language] = (0.0, "en")
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.strip().partition(";")
        known: Language | None = _known_language(tag)
        weight = _weight(parameters)
        # Strictly greater: among equals the first one listed wins.
        if known is not None and weight > best[0]:
            best = (weight, known)
    return best[1]


def _known_language(tag: str) -> Language | None:
    primary = tag.strip().lower().partition("-")[0]
    if primary == "zh":
        return "zh"
    return "en" if primary == "en" else None


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
