"""The small pieces of HTML on the page. Pure: values in, escaped text out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

from stablechat.errors import StableChatError
from stablechat.times import format_time
from stablechat.types import SearchProgress, VideoInfo
from ui.asks import Ask, Mode
from ui.i18n import Language, text
from ui.jobs import Progress
from ui.lane import Place
from ui.translation import in_language

Tone = Literal["idle", "busy", "good", "unsure", "plain", "warn", "bad"]

#: As their speakers call them.
LANGUAGE_NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}

#: How to start the app with the real weights.
LOAD_7B = "python app.py --model appletea2333/LLaVA-ST-Qwen2-7B"

#: Stages of a run, in order, by mode.
_STAGES = ("read", "encode", "answer", "draw")
STAGES: dict[Mode, tuple[str, ...]] = {
    "ground": _STAGES,
    "svg": _STAGES,
    "elc": _STAGES,
    "tvg": _STAGES,
    "rec": _STAGES[:-1],
    "describe": _STAGES[:-1],
    "captions": _STAGES[:-1],
}

_SHOWN_NOTES = 2

_PLAYED_ENDINGS = (".mp4", ".m4v", ".mov", ".webm")
_PLAYED_CODECS = ("h264", "vp8", "vp9", "av1")

# A play mark inside the four corners of a box.
_LOGO = (
    '<svg class="sc-logo" viewBox="0 0 32 32" aria-hidden="true">'
    '<path class="sc-corners" d="M3 10V3h7M22 3h7v7M29 22v7h-7M10 29H3v-7"/>'
    '<path class="sc-play" d="M12 10v12l10-6z"/></svg>'
)


def header(language: Language, name: str, device: str, dtype: str) -> str:
    """The top line: what this is, and which model answers."""
    parts = " · ".join(escape(part) for part in (name, device, dtype) if part)
    return (
        f'<header class="sc-header">{_LOGO}<div><h1>StableChat</h1>'
        f"<p>{escape(text(language, 'tagline'))}</p></div>"
        f'<span class="sc-chip"><span class="sc-chip-key">'
        f"{escape(text(language, 'model'))}</span> {parts}</span>"
        f"{_languages(language)}</header>"
    )


def _languages(language: Language) -> str:
    """Buttons that ``page.js`` listens to; each is in its own language."""
    buttons = "".join(
        f'<button type="button" lang="{each}" data-language="{each}" '
        f'aria-pressed="{str(each == language).lower()}">{name}</button>'
        for each, name in LANGUAGE_NAMES.items()
    )
    warning = escape(text(language, "language_stops"))
    return (
        f'<div class="sc-languages" role="group" data-warning="{warning}" '
        f'aria-label="{escape(text(language, "language"))}">{buttons}</div>'
    )


def demo_notice(language: Language) -> str:
    """What the demo model understands, and how to get the real one."""
    # Word by word, so that a narrow page does not break it at a hyphen.
    command = " ".join(f"<span>{escape(word)}</span>" for word in LOAD_7B.split())
    return f'<p class="sc-notice">{text(language, "demo_notice", command=command)}</p>'


def keys(language: Language) -> str:
    """The keys that ``page.js`` listens to."""
    names = {
        "run": "Ctrl+Enter",
        "line": "Shift+Enter",
        "stop": "Esc",
        "step": "Shift+←, Shift+→",
    }
    items = "".join(
        f"<dt><kbd>{name}</kbd></dt><dd>{escape(text(language, f'key_{key}'))}</dd>"
        for key, name in names.items()
    )
    return f'<dl class="sc-keys">{items}</dl>'


def video_hint(language: Language) -> str:
    """What can be uploaded, shown while there is no video."""
    return f'<p class="sc-hint">{escape(text(language, "video_hint"))}</p>'


def video_line(language: Language, info: VideoInfo, picture: str | None = None) -> str:
    """Length, size, rate and sound of the uploaded video, and what is odd.

    Args:
        language: Of the words.
        info: What was found out about it.
        picture: Address of its first picture, shown where browsers can't play it.
    """
    facts = (
        format_time(info.duration_seconds),
        f"{info.width}\N{MULTIPLICATION SIGN}{info.height}",
        f"{float(info.fps):.4g} fps",
        info.codec.upper(),
        text(language, "with_sound" if info.has_audio else "without_sound"),
    )
    line = " · ".join(escape(fact) for fact in facts if fact)
    odd = list(info.warnings)
    still = ""
    if not browsers_play(info):
        odd.append(text(language, "no_preview"))
        still = '<span class="sc-still"></span>'
        if picture is not None:
            still += (
                f"<style>#sc-video video{{background-image:url({picture})}}</style>"
            )
    return f'<p class="sc-facts">{line}</p>{notes(language, odd)}{still}'


def still_line(language: Language, info: VideoInfo, picture: str) -> str:
    """The image that was uploaded, its size and kind.

    Args:
        language: Of the words.
        info: What was found out about it.
        picture: Address of it.
    """
    facts = f"{info.width}\N{MULTIPLICATION SIGN}{info.height} · {info.codec.upper()}"
    name = escape(text(language, "still_shown"))
    return (
        f'<p class="sc-facts">{escape(facts)}</p>'
        f'<img class="sc-still-picture" src="{picture}" alt="{name}">'
    )


def browsers_play(info: VideoInfo) -> bool:
    """Whether most browsers can; some play more."""
    return info.path.suffix.lower() in _PLAYED_ENDINGS and info.codec in _PLAYED_CODECS


def video_problem(language: Language, said: str | StableChatError) -> str:
    """Why the uploaded file can't be used, shown under it."""
    message = escape(in_language(language, said))
    return f'<p class="sc-problem" role="alert">{message}</p>'


def card(
    tone: Tone,
    title: str,
    *body: str,
    picture: str = "",
    about: str = "",
    extra: str = "",
    alert: bool = False,
) -> str:
    """The status card.

    Args:
        tone: Its colour.
        title: One short line.
        body: Paragraphs of one or two sentences.
        picture: HTML put over the title, already escaped.
        about: HTML put under the title, already escaped.
        extra: HTML put below, already escaped.
        alert: Read out at once by a screen reader.
    """
    role = "alert" if alert else "status"
    paragraphs = "".join(f"<p>{escape(part)}</p>" for part in body)
    return (
        f'<section class="sc-card sc-{tone}" role="{role}">'
        f"{picture}<h2>{escape(title)}</h2>{about}{paragraphs}{extra}</section>"
    )


def say(language: Language, tone: Tone, key: str, *, extra: str = "") -> str:
    """A card made of the texts ``<key>_title`` and ``<key>_body``."""
    title = text(language, f"{key}_title")
    return card(tone, title, text(language, f"{key}_body"), extra=extra)


def idle(language: Language) -> str:
    """The card before the first run: what to do, in three steps."""
    steps = "".join(
        f"<li>{escape(text(language, f'idle_step_{number}'))}</li>"
        for number in (1, 2, 3)
    )
    extra = f'<ol class="sc-steps">{steps}</ol>'
    return card("idle", text(language, "idle_title"), extra=extra, picture=_LOGO)


def missing(language: Language, said: str | StableChatError) -> str:
    """A card that says what is not filled in yet."""
    title, message = text(language, "missing_title"), in_language(language, said)
    return card("warn", title, message, alert=True)


def problem(language: Language, said: str | StableChatError) -> str:
    """A card that says what went wrong."""
    title, message = text(language, "error_title"), in_language(language, said)
    return card("bad", title, message, alert=True)


def working(language: Language, asks: Sequence[Ask], progress: Progress) -> str:
    """The stages of a run, with how far it is.

    Args:
        language: Of the words.
        asks: The questions; they are answered one after another.
        progress: How far it is.
    """
    if progress.place is not None:
        return _in_line(language, progress.place)
    stages = STAGES[asks[0].mode]
    joining = progress.part >= len(asks)
    current = stages.index(progress.stage) if progress.stage in stages else 0
    items = "".join(
        _stage(text(language, f"stage_{stage}"), index - current, progress.fraction)
        for index, stage in enumerate(stages)
    )
    share = (current + progress.fraction) / len(stages)
    if progress.search is not None:
        looking = sum(stage != "draw" for stage in stages)
        share = progress.search.fraction * looking / len(stages)
        items = f"<li>{escape(_window(language, progress.search))}</li>"
    if joining:
        share, items = progress.fraction, ""
    percent = round(100 * (progress.part + share) / (len(asks) + (len(asks) > 1)))
    title, question = _working_title(language, asks, progress), ""
    if len(asks) > 1 and not joining:
        question = f'<q class="sc-asked">{escape(asks[progress.part].question)}</q>'
        question = f'<p class="sc-about">{question}</p>'
    # Not a live region: a screen reader would read out every tick.
    return (
        f'<section class="sc-card sc-busy"><h2>{escape(title)}</h2>{question}'
        f'<ol class="sc-stages">{items}</ol>'
        f'<div class="sc-bar" role="progressbar" aria-label="{escape(title)}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}">'
        f'<span style="width:{percent}%"></span></div></section>'
    )


def _in_line(language: Language, place: Place) -> str:
    """How many are before, and how long that may take; said anew when it changes."""
    body = text(language, "waiting_place", count=place.ahead)
    if place.seconds is not None:
        body += " " + text(language, "waiting_time", time=_about(place.seconds))
    return card("busy", text(language, "waiting_title"), body)


def _window(language: Language, search: SearchProgress) -> str:
    """Which part of a long video is looked at, and how long the others will take."""
    place = {"number": search.window, "count": search.num_windows}
    said = text(language, "working_window", **place)
    if search.remaining_seconds is None:
        return said
    time = _about(search.remaining_seconds)
    return f"{said} · {text(language, 'remaining', time=time)}"


def _about(seconds: float) -> str:
    """A time that is only guessed, in steps, so that it does not flicker."""
    step = 5 if seconds < 60 else 30
    return format_time(step * math.ceil(seconds / step)).removesuffix(".000")


def _working_title(language: Language, asks: Sequence[Ask], progress: Progress) -> str:
    if len(asks) == 1:
        return text(language, "working_title")
    if progress.part >= len(asks):
        return text(language, "joining_title")
    place = {"number": progress.part + 1, "count": len(asks)}
    return text(language, "working_several", **place)


def _stage(name: str, offset: int, fraction: float) -> str:
    """One stage; ``offset`` is its place relative to the current one."""
    if offset == 0:
        return (
            f'<li class="sc-now" aria-current="step">{escape(name)} '
            f"<span>{fraction:.0%}</span></li>"
        )
    return f'<li class="{"sc-done" if offset < 0 else "sc-next"}">{escape(name)}</li>'


def notes(language: Language, issues: Iterable[str]) -> str:
    """Remarks, one to a line; many are folded away, so that the clip stays in view."""
    issues = [in_language(language, issue) for issue in issues]
    if not issues:
        return ""
    items = "<ul>" + "".join(f"<li>{escape(issue)}</li>" for issue in issues) + "</ul>"
    if len(issues) <= _SHOWN_NOTES:
        return f'<div class="sc-notes">{items}</div>'
    title = escape(text(language, "notes_many", count=len(issues)))
    return f'<details class="sc-notes"><summary>{title}</summary>{items}</details>'
