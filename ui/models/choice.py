"""Which model to load, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stablechat.downloads import Watch
from ui.pipeline import Chat

#: What the panel offers; the empty one lets the library choose.
DEVICES = ("", "cpu", "cuda", "mps")
DTYPES = ("", "float16", "bfloat16", "float32")
QUANTIZATIONS = ("", "8bit", "4bit")


@dataclass(frozen=True)
class ModelChoice:
    """A model, as it was filled in; empty is the library's choice.

    Attributes:
        model: Hub id or folder; empty is the demo model.
        device: Where it is to run.
        dtype: Type of its numbers.
        quantization: How its language model is stored.
    """

    model: str = ""
    device: str = ""
    dtype: str = ""
    quantization: str = ""


#: Loads a model; raises a StableChatError of one plain line.
Loader = Callable[[ModelChoice, Watch], Chat]


def load_chat(choice: ModelChoice, watch: Watch) -> Chat:
    """Load a model with the library.

    Raises:
        StableChatError: It can't be found, fetched or loaded; with one plain line.
        CancelledError: ``watch`` said so.
    """
    from stablechat import StableChat

    return StableChat.from_pretrained(
        choice.model.strip() or None,
        choice.device or None,
        choice.dtype or None,
        quantization=choice.quantization or None,
        watch=watch,
    )
