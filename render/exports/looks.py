"""What the model calls what it found, as plain values, and back."""

from __future__ import annotations

from render.fields import Json, as_object, number, string
from stablechat.types import SecondLook


def look_to_dict(look: SecondLook | None) -> Json:
    """The second look of an answer; nothing where there was none."""
    if look is None:
        return {}
    told = {"words": look.words, "difference_nats": round(look.difference, 6)}
    return {"second_look": told}


def look_from_dict(answer: Json) -> SecondLook | None:
    """Rebuild the second look of an answer; raises InputError if it can't be one."""
    told = answer.get("second_look")
    if told is None:
        return None
    fields = as_object(told, "second_look")
    return SecondLook(string(fields, "words"), number(fields, "difference_nats"))
