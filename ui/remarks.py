"""What was odd about an answer, in the language of the page.

The library writes plain English sentences. The English table holds each of them, with
braces for its numbers; one that is not there is shown as it is.
"""

from __future__ import annotations

import re
from string import Formatter

from ui.i18n import TABLES, Language, text

_PREFIX = "issue_"


def _pattern(sentence: str) -> re.Pattern[str]:
    """Matches what a sentence with braces can become."""
    parts = [
        re.escape(literal) + (f"(?P<{name}>.+?)" if name else "")
        for literal, name, _, _ in Formatter().parse(sentence)
    ]
    return re.compile("".join(parts), re.DOTALL)


_PATTERNS = {
    key: _pattern(sentence)
    for key, sentence in TABLES["en"].items()
    if key.startswith(_PREFIX)
}


def remark(language: Language, sentence: str) -> str:
    """A sentence of the library's in another language, if it is a known one."""
    if language == "en":
        return sentence
    for key, pattern in _PATTERNS.items():
        found = pattern.fullmatch(sentence)
        if found is not None:
            return text(language, key, **found.groupdict())
    return sentence
