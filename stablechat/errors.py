"""The exception tree.

Every failure a person can do something about is a :class:`StableChatError`: one
line that says what is wrong and what to do. The command line prints that line and
exits with 2; the app shows it. Anything else is a bug and keeps its traceback.

The line is given as a template and its values, so that the app can say it in another
language: ``InputError("{name} is empty; type something.", name="question")``.
"""

from __future__ import annotations

from stablechat.sentences import Sentence


class StableChatError(Exception):
    """Base of all errors of this project; ``str(error)`` is one plain line.

    Args:
        template: The line, with braces for the values; without values, as it is.
        values: What fills the braces.

    Attributes:
        sentence: The finished line, which remembers both.
    """

    def __init__(self, template: str = "", /, **values: object) -> None:
        self.sentence = (
            template
            if isinstance(template, Sentence) and not values
            else Sentence(template, **values)
        )
        super().__init__(self.sentence)


class InputError(StableChatError):
    """What the person gave can't be used: an empty question, a bad option."""


class VideoError(InputError):
    """The file is missing, is not a video, or can't be decoded."""


class LimitError(InputError):
    """The input is readable but over a limit (size, pixels, length)."""


class ModelError(StableChatError):
    """The model can't be found, fetched or loaded."""


class CheckpointError(ModelError):
    """A checkpoint's files are missing, damaged, or do not fit its configuration."""


class HubError(ModelError):
    """The model hub (and its mirror) can't be reached or refuses."""


class OutOfMemoryError(ModelError):
    """The model does not fit; the message says how much is needed and what to try."""


class StorageError(StableChatError):
    """Remote storage did not answer, several times over; later it may."""


class EngineError(StableChatError):
    """What runs a batch can't be started, or is gone."""


class RenderError(StableChatError):
    """The clip or picture could not be drawn or written."""


class CancelledError(StableChatError):
    """The person pressed Stop; nothing is wrong."""
