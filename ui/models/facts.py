"""What there is to know about the model that answers. HTML, escaped."""

from __future__ import annotations

from html import escape

from stablechat import demo_words
from ui.i18n import Language, text
from ui.pipeline import Chat
from ui.results.filelist import size_text


def device_name(device: object) -> str:
    """``"CPU"`` or ``"CUDA:0"``."""
    return str(device).upper()


def dtype_name(dtype: object) -> str:
    """``"float16"`` rather than ``"torch.float16"``."""
    return str(dtype).removeprefix("torch.")


def facts(language: Language, chat: Chat) -> str:
    """A list: which model, where it runs, and what memory there is."""
    numbers = dtype_name(chat.dtype)
    if chat.quantization:
        numbers = f"{numbers}, {chat.quantization}"
    told = {
        "model": chat.name,
        "model_device": device_name(chat.device),
        "model_dtype": numbers,
        "model_weights": size_text(chat.weight_bytes),
        "model_free": size_text(chat.free_bytes),
    }
    items = "".join(
        f"<dt>{escape(text(language, key))}</dt><dd>{escape(value)}</dd>"
        for key, value in told.items()
    )
    return f'<dl class="sc-facts-list">{items}</dl>{understanding(language, chat)}'


def understanding(language: Language, chat: Chat) -> str:
    """What the model can be asked."""
    if not chat.is_demo:
        words = escape(text(language, "model_understands"))
        return f'<p class="sc-hint">{words}</p>'
    lists = {
        "demo_things": demo_words.SHAPES,
        "demo_colors": demo_words.COLORS,
        "demo_actions": demo_words.ACTIONS,
    }
    items = "".join(
        f"<li>{escape(text(language, key))} {_words(words)}</li>"
        for key, words in lists.items()
    )
    return (
        f'<div class="sc-demo-world"><p>{escape(text(language, "demo_world"))}</p>'
        f"<ul>{items}</ul><p>{escape(text(language, 'demo_questions'))}</p>"
        f"{_questions()}<p>{escape(text(language, 'demo_beyond'))}</p></div>"
    )


def _questions() -> str:
    """Questions to press; ``page.js`` writes them into the form."""
    buttons = "".join(
        f'<button type="button" lang="en" data-ask="{escape(each)}">{escape(each)}'
        "</button>"
        for each in demo_words.QUESTIONS
    )
    return f'<div class="sc-questions">{buttons}</div>'


def _words(words: tuple[str, ...]) -> str:
    # English: these are the words that it knows.
    return f'<span lang="en">{escape(", ".join(words))}</span>'


def question_line(language: Language, chat: Chat, question: str) -> str:
    """A hint under a question that is beyond the demo model."""
    beyond = chat.is_demo and bool(question.strip())
    if not beyond or all(map(demo_words.may_understand, question.splitlines())):
        return ""
    words = escape(text(language, "demo_hint"))
    return (
        f'<div class="sc-notice"><p role="status">{words}</p>'
        f"<p>{escape(text(language, 'demo_questions'))}</p>{_questions()}</div>"
    )
