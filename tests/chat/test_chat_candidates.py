"""StableChat with several candidates: what is shared, ranked, told and stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import golden_files
import pytest
from answer_texts import answer, written

from stablechat import turn as turn_module
from stablechat.chat import StableChat
from stablechat.errors import CancelledError, InputError
from stablechat.types import Generation, GenerationConfig

SHORT = GenerationConfig(max_new_tokens=12)
BOX = (10, 20, 30, 40)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[GenerationConfig]:
    """Let the model be the surer the larger the seed; returns how it was asked."""
    asked: list[GenerationConfig] = []

    def generate(
        model: Any, tokenizer: Any, embeds: Any, config: GenerationConfig, **_: Any
    ) -> Generation:
        asked.append(config)
        span = range(config.seed, 51)
        pieces = answer((config.seed, 50), dict.fromkeys(span, BOX))
        return written(pieces, sure=0.3 + config.seed / 10)

    monkeypatch.setattr(turn_module, "generate", generate)
    return asked


def test_the_surest_is_returned_and_the_video_encoded_once(
    chat: StableChat, clip: Path, encoded: list[int], answers: list[GenerationConfig]
) -> None:
    found = chat.ground(clip, "the square", candidates=3)
    assert encoded == [100]
    assert [config.seed for config in answers] == [0, 1, 2]
    assert [config.temperature > 0 for config in answers] == [False, True, True]
    sure = [a.confidence for a in (found, *found.alternatives)]
    assert sure == pytest.approx([0.5, 0.4, 0.3])
    assert found.span_confidence == pytest.approx(0.5)
    assert found.tube is not None and found.tube.confidence is not None
    assert {a.query for a in found.alternatives} == {"the square"}


def test_one_candidate_is_what_there_was_before(clip: Path) -> None:
    chat = golden_files.new_chat()
    plain = chat.ground(clip, "the square", config=SHORT)
    one = chat.ground(clip, "the square", config=SHORT, candidates=1)
    three = chat.ground(clip, "the square", config=SHORT, candidates=3)
    assert one.generation.token_ids == plain.generation.token_ids
    assert plain.alternatives == one.alternatives == ()
    every = [a.generation.token_ids for a in (three, *three.alternatives)]
    assert plain.generation.token_ids in every and len(every) == 3
    again = chat.ground(clip, "the square", config=SHORT, candidates=3)
    assert [a.generation.token_ids for a in (again, *again.alternatives)] == every


def test_progress_rises_over_all_candidates(chat: StableChat, clip: Path) -> None:
    seen: list[float] = []
    chat.ground(
        clip,
        "the square",
        config=SHORT,
        candidates=3,
        on_progress=lambda stage, share: stage == "answer" and seen.append(share),
    )
    assert seen == sorted(seen)
    assert seen[0] == 0 and seen[-1] == 1
    assert len({share for share in seen if share > 2 / 3}) > 1


def test_stopping_in_the_second_candidate_stops_all(
    chat: StableChat, clip: Path
) -> None:
    seen: list[float] = []
    with pytest.raises(CancelledError):
        chat.ground(
            clip,
            "the square",
            config=SHORT,
            candidates=3,
            on_progress=lambda stage, share: stage == "answer" and seen.append(share),
            cancelled=lambda: bool(seen) and seen[-1] > 1 / 3,
        )
    assert seen and seen[-1] < 2 / 3
    assert not chat._lock.locked()


@pytest.mark.parametrize("count", [0, 33, 1.5])
def test_impossible_numbers_are_refused_before_anything(
    chat: StableChat, count: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="candidates"):
        chat.ground(tmp_path / "missing.mp4", "it", candidates=count)


def test_the_likeliest_of_several_answers(clip: Path) -> None:
    chat = golden_files.new_chat()
    config = GenerationConfig(max_new_tokens=12, log_probs=True)
    best = chat.ground(
        clip, "the square", candidates=4, choose="likelihood", config=config
    )
    every = (best, *best.alternatives)
    found = [a.log_likelihood for a in every if a.found and a.log_likelihood]
    assert found == sorted(found, reverse=True)
    # The greedy answer's own probabilities say the same.
    (greedy,) = (a for a in every if a.generation.token_ids == plain(chat, clip))
    assert greedy.generation.log_probs is not None
    mean = sum(greedy.generation.log_probs) / len(greedy.generation.log_probs)
    assert greedy.log_likelihood == pytest.approx(mean, abs=1e-4)
    one = chat.ground(clip, "the square", choose="likelihood", config=SHORT)
    assert one.log_likelihood is None


def plain(chat: StableChat, clip: Path) -> tuple[int, ...]:
    return chat.ground(clip, "the square", config=SHORT).generation.token_ids


def test_what_is_likely_need_not_be_sure(
    chat: StableChat,
    clip: Path,
    answers: list[GenerationConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn_module.Turn, "score", lambda *_: [0.0, -1.0, -2.0])
    found = chat.ground(clip, "the square", candidates=3, choose="likelihood")
    every = (found, *found.alternatives)
    assert [a.log_likelihood for a in every] == [0, -1, -2]
    assert [a.confidence for a in every] == pytest.approx([0.3, 0.4, 0.5])
