"""The real app with the fake model: ``python serve_fake.py [app.py's arguments]``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from fake_chat import FakeChat  # noqa: E402

import app  # noqa: E402


def main() -> int:
    """Run ``app.main`` with a model that answers at once."""
    chat = FakeChat(stage_seconds=float(os.environ.get("FAKE_STAGE_SECONDS", "0")))
    app.load_chat = lambda arguments: chat  # type: ignore[assignment]
    if grace := os.environ.get("FAKE_GRACE_SECONDS"):
        from ui import session

        session.GRACE_SECONDS = float(grace)
    if examples := os.environ.get("FAKE_EXAMPLES"):
        from ui import layout

        layout.EXAMPLES_FOLDER = Path(examples)
    return app.main()


if __name__ == "__main__":
    sys.exit(main())
