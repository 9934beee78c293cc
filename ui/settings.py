"""What the form remembers from visit to visit, in the browser's own storage.

Whatever comes back from there may be old or anybody's: what can't be used is dropped.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ui.asks import SIMPLE_MODES, Mode

#: Most answers to choose from; each takes as long as the first.
MAX_CANDIDATES = 8

#: Longer videos are looked at window by window.
LONG_VIDEO_SECONDS = 300.0
#: As long as the videos that the demo model was trained on.
DEMO_WINDOW_SECONDS = 20.0
#: Most parts of a video that are told one by one; each takes as long as a question.
MAX_PARTS = 500
#: Moments of a long video that are told at least.
TOLD_MOMENTS = 5

#: Most questions to ask at once, one a line.
MAX_QUESTIONS = 20

#: Where the browser keeps them. Fixed, like the key, or they would be lost whenever
#: the program starts again; nothing in them is secret.
STORAGE_KEY = "stablechat-settings"
STORAGE_SECRET = "stablechat-settings"


@dataclass(frozen=True)
class Settings:
    """What was last chosen in the form.

    Attributes:
        mode: Find and clip, or describe.
        candidates: How many answers to choose from.
    """

    mode: Mode = "ground"
    candidates: int = 1

    def to_stored(self) -> dict[str, Any]:
        """As the browser keeps them."""
        return asdict(self)

    @classmethod
    def from_stored(cls, stored: object) -> Settings:
        """What the browser kept; the usual for what can't be used."""
        usual = cls()
        if not isinstance(stored, dict):
            return usual
        mode: Any = stored.get("mode")
        count: Any = stored.get("candidates")
        # True is an int too.
        if not isinstance(count, int) or isinstance(count, bool):
            count = usual.candidates
        return cls(
            mode=mode if mode in SIMPLE_MODES else usual.mode,
            candidates=count if 1 <= count <= MAX_CANDIDATES else usual.candidates,
        )
