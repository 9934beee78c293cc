"""The real app with the fake model: ``python serve_fake.py [app.py's arguments]``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import MutableMapping
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from fake_chat import FakeChat  # noqa: E402

import app  # noqa: E402
from stablechat.downloads import Watch  # noqa: E402
from stablechat.errors import ModelError  # noqa: E402
from ui import root  # noqa: E402
from ui.models import choice  # noqa: E402


def load_fake(choice: choice.ModelChoice, watch: Watch) -> FakeChat:
    """Loads what is called "slow" slowly, and nothing that is called "missing"."""
    if choice.model == "missing":
        raise ModelError("There is no model {model!r}.", model=choice.model)
    for step in range(100 if choice.model == "slow" else 1):
        watch.report("fetch", step / 100)
        time.sleep(0.1)
    chat = FakeChat(is_demo=not choice.model)
    chat.name, chat.quantization = choice.model or "demo", choice.quantization or None
    return chat


def main() -> int:
    """Run ``app.main`` with a model that answers at once."""
    chat = FakeChat(stage_seconds=float(os.environ.get("FAKE_STAGE_SECONDS", "0")))
    app.load_chat = lambda arguments: chat  # type: ignore[assignment]
    choice.load_chat = load_fake
    if grace := os.environ.get("FAKE_GRACE_SECONDS"):
        from ui import session

        session.GRACE_SECONDS = float(grace)
    if "FAKE_FILMS" in os.environ:
        let_films_be_fetched()
    if examples := os.environ.get("FAKE_EXAMPLES"):
        show_examples(Path(examples))
    return app.main()


def let_films_be_fetched() -> None:
    """Take this machine for ``films.example``, a host of the open internet."""
    from stablechat.links import network

    def resolve(host: str, port: int) -> list[str]:
        here = host == "films.example"
        return ["127.0.0.1"] if here else network.resolve(host, port)

    defaults = network.CheckedNetwork.__init__.__kwdefaults__
    defaults |= {"resolve": resolve, "is_allowed": lambda each: each == "127.0.0.1"}


def show_examples(folder: Path) -> None:
    """Have the page show others, without importing Gradio sooner than the app does."""
    harden = root.harden_environment

    def harden_and_show(environment: MutableMapping[str, str], own: Path) -> None:
        harden(environment, own)
        from ui import layout

        layout.EXAMPLES_FOLDER = folder

    root.harden_environment = harden_and_show


if __name__ == "__main__":
    sys.exit(main())
