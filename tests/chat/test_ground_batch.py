"""Questions about several videos at once, as a person gets their answers."""

from __future__ import annotations

from pathlib import Path

import golden_files
import pytest

from stablechat import GenerationConfig, StableChat, TimeSpan
from stablechat.batching import MAX_SEATS, ground_batch
from stablechat.errors import CancelledError, InputError, VideoError
from stablechat.questions import Question

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
RED, BLUE = EXAMPLES / "red_circle.mp4", EXAMPLES / "blue_square.mp4"
ASKED = [
    (RED, Question("the red circle moving left", "stvg")),
    (RED, Question("the red circle", "svg", TimeSpan(1.0, 2.0))),
    (BLUE, Question("the blue square growing", "tvg")),
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return golden_files.write_clip(tmp_path_factory.mktemp("clips") / "square.mp4")


def test_answers_are_those_of_ground() -> None:
    chat = StableChat.from_pretrained(device="cpu")
    told: list[tuple[str, float]] = []
    config = GenerationConfig(max_new_tokens=150)
    found = ground_batch(
        chat,
        ASKED,
        seats=3,
        config=config,
        on_progress=lambda *each: told.append(each),
    )
    for (video, question), answer in zip(ASKED, found, strict=True):
        wanted = chat.ground(
            video,
            question.query,
            question.task,
            span=question.span,
            config=config,
        )
        assert answer.generation.text == wanted.generation.text
        assert answer.span is not None and wanted.span is not None
        assert answer.span.end_seconds == pytest.approx(wanted.span.end_seconds)
        assert answer.confidence == pytest.approx(wanted.confidence, abs=1e-4)
        assert answer.video == wanted.video
    assert told[-1] == ("answer", 1.0)
    assert {stage for stage, _ in told} == {"read", "encode", "answer"}


def test_nothing_is_kept_of_a_stopped_batch(clip: Path) -> None:
    chat = golden_files.new_chat()
    asked = [(clip, Question("a ball", "stvg"))] * 3
    config = GenerationConfig(max_new_tokens=20)
    told: list[str] = []
    with pytest.raises(CancelledError):
        ground_batch(
            chat,
            asked,
            seats=2,
            config=config,
            on_progress=lambda stage, _: told.append(stage),
            cancelled=lambda: "answer" in told,
        )
    assert len(ground_batch(chat, asked, config=config)) == 3
    assert ground_batch(chat, []) == []


def test_one_question_can_be_ended(clip: Path) -> None:
    chat = golden_files.new_chat()
    asked = [(clip, Question("a ball", "stvg"))] * 3
    config = GenerationConfig(max_new_tokens=20)
    (wanted, *_) = ground_batch(chat, asked, config=config)
    stops = [lambda: False, lambda: True, lambda: False]
    found = ground_batch(chat, asked, config=config, cancelled_each=stops)
    reasons = [each.generation.finish_reason for each in found]
    assert reasons[1] == "cancelled"
    for place in (0, 2):
        assert found[place].generation.token_ids == wanted.generation.token_ids
    with pytest.raises(InputError, match="one for each question"):
        ground_batch(chat, asked, cancelled_each=stops[:2])


def test_what_can_not_be_asked(clip: Path, tmp_path: Path) -> None:
    chat = golden_files.new_chat()
    question = Question("a ball", "stvg")
    for seats in (0, MAX_SEATS + 1):
        with pytest.raises(InputError, match="seats must be from 1 to"):
            ground_batch(chat, [(clip, question)], seats=seats)
    with pytest.raises(InputError, match="one by one"):
        ground_batch(chat, [(clip, Question("a ball", "rec"))])
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        ground_batch(chat, [(clip, question), (broken, question)])
