"""Whether what was found is what was asked for.

A model that is asked for what is not there answers about something else, and is about
as sure as otherwise (docs/decoding.md): its confidence takes for granted that the thing
is in the video. Of the windows of a long video most do not show it. So the model is
asked the other way round, by the question of the ELC task that it was trained with:
what does the thing in this box do from this moment on? How likely it would then say the
person's words is the answer's *recognition*.

People say "the", captions say "a": the query is scored as it was typed and with an
indefinite article, and the likelier counts. Only recognitions of one query may be
compared: the words are the same then, and so is what they cost by themselves.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from stablechat import prompts
from stablechat.encoding import EncodedVideo
from stablechat.generation.forms import PROSE, Tables, answer_form
from stablechat.generation.likelihood import token_log_likelihoods
from stablechat.grounding import span_to_unit
from stablechat.loader import LoadedModel
from stablechat.questions import Question
from stablechat.types import NUM_BINS, Grounding

#: No word counts as less likely than this, in nats: one that the model would never use
#: itself, a synonym, must not outweigh all others.
WORD_FLOOR = -5.0

_ARTICLE = re.compile(r"^(the|a|an)\s+", re.IGNORECASE)


@torch.inference_mode()
def recognise(
    loaded: LoadedModel, encoded: EncodedVideo, answer: Grounding
) -> float | None:
    """How likely the model would say what was asked for of what it found.

    Args:
        loaded: The model.
        encoded: What the answer is about.
        answer: To a question about when and where.

    Returns:
        The mean log-likelihood of the query's tokens, in nats: 0 at best,
        :data:`WORD_FLOOR` at worst. None for an answer without a time or boxes.
    """
    if answer.span is None or answer.tube is None:
        return None
    model, tokenizer = loaded.model, loaded.tokenizer
    prompt = tokenizer.encode_prompt(_asked_back(encoded, answer))
    opening = model.embed_tokens(_opening(loaded, encoded, answer).to(model.device))
    before = torch.cat([model.embed_prompt(prompt, encoded.visual)[0], opening])
    said = [torch.tensor(tokenizer.encode(f" {w}")) for w in phrasings(answer.query)]
    scores = token_log_likelihoods(
        model,
        before,
        [model.embed_tokens(ids.to(model.device)) for ids in said],
        [ids.double() for ids in said],
    )
    means = [each.clamp(min=WORD_FLOOR).mean().item() for each in scores]
    return min(0.0, max(means))


def phrasings(query: str) -> list[str]:
    """A query as it may stand in a caption: as typed, and with "a" or "an"."""
    typed = prompts.event_of(query)
    noun = _ARTICLE.sub("", typed)
    if not noun[:1].isascii() or not noun[:1].isalpha():
        return [typed]  # a script, or a beginning, that has no articles
    article = "an" if noun[0].lower() in "aeiou" else "a"
    return list(dict.fromkeys([typed, f"{article} {noun}"]))


def _asked_back(encoded: EncodedVideo, answer: Grounding) -> str:
    """The question about what was found, at its first box in its span."""
    assert answer.span is not None and answer.tube is not None
    times = answer.tube.times_seconds
    start = min(max(answer.span.start_seconds, float(times[0])), float(times[-1]))
    start = min(max(start, 0.0), float(encoded.pts_seconds[-1]))
    box = answer.tube.at(min(max(start, float(times[0])), float(times[-1])))
    question = Question("", "elc", region=box, start_seconds=start)
    return question.prompt(encoded.video, encoded.pts_seconds)


def _opening(loaded: LoadedModel, encoded: EncodedVideo, answer: Grounding) -> Tensor:
    """What an answer says before it comes to the event: "Ends in <TEMP-045>,"."""
    assert answer.span is not None
    tables = Tables(loaded.model.config.base_vocab_size)
    form = answer_form("elc", loaded.tokenizer.encode, tables)
    end = round(span_to_unit(answer.span, encoded.pts_seconds)[1] * (NUM_BINS - 1))
    slots = form.opening[: form.opening.index(PROSE)]
    return torch.tensor([slot + end if slot == tables.time else slot for slot in slots])
