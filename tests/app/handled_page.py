"""The page's handlers without a browser: real videos, a fake model."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fake_chat import FakeChat

from ui.asking.form import AskForm
from ui.asking.widgets import OtherWidgets, PartWidgets
from ui.asks import SIMPLE_MODES, Ask
from ui.fetching.widgets import LinkWidgets
from ui.handlers import Handlers
from ui.models.widgets import ModelWidgets
from ui.pipeline import Pipeline
from ui.results.edit_widgets import EditWidgets
from ui.results.history_widgets import HistoryWidgets
from ui.results.widgets import ResultWidgets
from ui.session import Sessions
from ui.widgets import Widgets


class Page:
    """Handlers with named stand-ins for the controls."""

    def __init__(self, chat: FakeChat, sessions: Sessions) -> None:
        self.chat = chat
        self.sessions = sessions
        self.handlers = Handlers(Pipeline(chat), sessions)
        names = {name: name for name in Widgets.__dataclass_fields__}
        edit = EditWidgets(**{n: n for n in EditWidgets.__dataclass_fields__})  # type: ignore[arg-type]
        shown = {n: n for n in ResultWidgets.__dataclass_fields__}
        result = ResultWidgets(**{**shown, "edit": edit})  # type: ignore[arg-type]
        history = HistoryWidgets(**{n: n for n in HistoryWidgets.__dataclass_fields__})  # type: ignore[arg-type]
        others = OtherWidgets(**{n: n for n in OtherWidgets.__dataclass_fields__})  # type: ignore[arg-type]
        part = PartWidgets("part_start", "part_end", "", "")  # type: ignore[arg-type]
        model = ModelWidgets("panel", "facts", None)  # type: ignore[arg-type]
        parts = {**names, "result": result, "others": others, "model": model}
        link = LinkWidgets(**{n: n for n in LinkWidgets.__dataclass_fields__})  # type: ignore[arg-type]
        parts |= {"history": history, "part": part, "link": link}
        self.handlers.widgets = Widgets(**parts)  # type: ignore[arg-type]

    def upload(self, clip: Path) -> str:
        folder = self.sessions.root / "0a1b"
        folder.mkdir(exist_ok=True)
        return str(shutil.copy(clip, folder))

    def begin(
        self,
        video: str | None,
        question: str,
        mode: str = "ground",
        candidates: int = 1,
        asked: Any = None,
        **others: Any,
    ) -> dict[str, Any]:
        """Press Run with this in the form."""
        first = mode in SIMPLE_MODES
        values = {
            **{name: "" for name in ("svg_start", "svg_end", "elc_start")},
            **{"part_start": "", "part_end": ""},
            **dict.fromkeys(("elc_x1", "elc_y1", "elc_x2", "elc_y2", "rec_still")),
            **{
                "rec_moment": "",
                "captions_part": None,
                "kind": None if first else mode,
            },
            **{
                "windows": True,
                "video": video,
                "question": question,
                "candidates": candidates,
            },
            **{"mode": mode if first else None, **others},
        }
        return self.handlers.answering().begin(values, asked or request())

    def events(self, ask: Ask, asked: Any = None) -> AsyncIterator[dict[str, Any]]:
        """What a run of a question makes of the page."""
        return self.handlers.answering().run((ask,), asked or request())

    def run(self, ask: Ask, request: Any) -> list[dict[str, Any]]:
        async def collect() -> list[dict[str, Any]]:
            return [
                update
                async for update in self.handlers.answering().run((ask,), request)
            ]

        return asyncio.run(collect())


def request(tab: str = "a", language: str = "en") -> Any:
    return SimpleNamespace(session_hash=tab, headers={"accept-language": language})


def ask(
    page: Page, video: str, question: str, mode: str = "ground", **others: Any
) -> Ask:
    form = AskForm(video, question, mode, **others)  # type: ignore[arg-type]
    return page.handlers.asking().checker(request()).asks(form)[0]
