"""What happens while the form is filled in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from stablechat.errors import StableChatError
from stablechat.pictures import read_image
from stablechat.times import format_time
from stablechat.video import probe
from ui import view
from ui.asking.checking import Checker
from ui.asking.widgets import OtherWidgets, PartWidgets
from ui.asks import Mode
from ui.drawing import canvas, line
from ui.i18n import label
from ui.pictures import first_picture, picture_address, write_picture
from ui.running import Update, language_asked
from ui.session import Sessions
from ui.tab import Look
from ui.translation import in_language

#: An uploaded image is shown inside this.
_STILL_SIZE = (480, 200)


@dataclass(frozen=True)
class Asking:
    """The event handlers of the form.

    Attributes:
        sessions: Hold each tab's folder.
        mode: The modes that come first.
        question: What is typed.
        others: The folded controls.
        part: Which part of the video is looked at.
    """

    sessions: Sessions
    mode: gr.Radio
    question: gr.Textbox
    others: OtherWidgets
    part: PartWidgets

    @property
    def mode_outputs(self) -> list[Any]:
        """What follows the mode."""
        return [
            self.mode,
            self.question,
            self.others.kind,
            *self.others.groups.values(),
        ]

    def checker(self, request: gr.Request) -> Checker:
        """Reads the form of one tab."""
        session = self.sessions.of(request)
        return Checker(self.sessions, session, language_asked(request))

    def simple_chosen(self, mode: Mode | None) -> Update:
        """One of the first modes; the other kinds of questions are left."""
        if mode is None:
            return {self.question: gr.skip()}
        return {self.others.kind: None} | self._follow(mode)

    def other_chosen(self, kind: Mode | None) -> Update:
        """Another kind of question."""
        if kind is None:
            return {self.question: gr.skip()}
        return {self.mode: None} | self._follow(kind)

    def _follow(self, mode: Mode) -> Update:
        """Label, placeholder and fields follow the mode."""
        groups = self.others.groups
        return {
            self.question: gr.update(
                label=label(f"question_{mode}"),
                placeholder=label(f"placeholder_{mode}"),
            ),
            **{
                group: gr.update(visible=kind == mode) for kind, group in groups.items()
            },
        }

    def video_changed(self, video: str | None, request: gr.Request) -> str:
        """Say at once what was uploaded, or why it can't be used."""
        language, session = language_asked(request), self.sessions.of_page(request)
        session.video = None
        if video is None:
            return view.video_hint(language)
        try:
            path = session.video = self.checker(request).uploaded(video)
            info = probe(path)
            still = None if view.browsers_play(info) else first_picture(path, 960, 380)
            return view.video_line(language, info, still)
        except StableChatError as error:
            return view.video_problem(language, error)

    def forget_places(self) -> Update:
        """What was drawn on a picture of another video, and which part of it."""
        others = self.others
        empty = {others.elc_start: "", others.elc_picture: "", others.elc_line: ""}
        times = dict.fromkeys(self.part.fields, "")
        return empty | dict.fromkeys(others.sides) | times

    def still_changed(self, still: str | None, request: gr.Request) -> str:
        """Show the image that was uploaded, or say why it can't be used."""
        language = language_asked(request)
        if still is None:
            return ""
        try:
            path = self.checker(request).uploaded(still)
            sample = read_image(path)
        except StableChatError as error:
            return view.video_problem(language, error)
        address = picture_address(sample.frames[0], *_STILL_SIZE)
        return view.still_line(language, sample.video, address)

    def look(self, video: str | None, moment: str, request: gr.Request) -> Update:
        """Show the picture of a moment, to draw what is asked about on it."""
        others, checker = self.others, self.checker(request)
        try:
            return self._look(checker.video(video), moment, checker)
        except StableChatError as error:
            return {
                others.elc_line: line(in_language(checker.language, error), alert=True)
            }

    def _look(self, path: Path, moment: str, checker: Checker) -> Update:
        others, session, info = self.others, checker.session, probe(path)
        # In whole milliseconds, as the field shows it.
        seconds = round(checker.moment(moment, info), 3)
        frame = write_picture(info, seconds, session.new_look())
        session.asked_look = Look(path, seconds)
        drawn = canvas(checker.language, frame, info, None, writes="sc-elc")
        return {
            others.elc_start: format_time(seconds, hours=True),
            others.elc_picture: drawn,
            others.elc_line: "",
            **dict.fromkeys(others.sides),
        }
