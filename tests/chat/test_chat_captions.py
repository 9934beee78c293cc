"""What happens in a video, part by part."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import golden_files
import pytest
import torch

from stablechat import StableChat
from stablechat import turn as turn_module
from stablechat.errors import CancelledError, InputError, StableChatError
from stablechat.prompts import DESCRIBE_QUESTION
from stablechat.types import (
    Caption,
    Captions,
    FinishReason,
    Generation,
    SearchProgress,
    TimeSpan,
)

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
Times = list[tuple[float, float]]


@pytest.fixture
def long_clip(tmp_path: Path) -> Path:
    """10 seconds, 10 pictures a second."""
    return golden_files.write_clip(tmp_path / "long.mp4", count=100)


def let_say(
    monkeypatch: pytest.MonkeyPatch, *texts: str, ended: FinishReason = "stop"
) -> None:
    """Let the model say one text after the other."""
    said = iter(texts)
    monkeypatch.setattr(
        turn_module, "generate", lambda *_, **__: Generation(next(said), (1, 2), ended)
    )


def told(captions: Captions) -> list[tuple[float, float, str]]:
    return [
        (each.span.start_seconds, each.span.end_seconds, each.text)
        for each in captions.captions
    ]


def test_each_part_is_described_and_equal_neighbours_are_one(
    chat: StableChat, long_clip: Path, encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_say(monkeypatch, "A dog.", "a  dog.", "", "A dog.", "A cat.")
    captions = chat.caption(long_clip, window_seconds=2)
    assert encoded == [100] * 5
    assert told(captions) == [(0, 4, "A dog."), (6, 8, "A dog."), (8, 10, "A cat.")]
    assert len(captions.windows) == 5
    assert captions.issues == ("Parts about which the model said nothing: 1.",)
    assert (captions.question, captions.model) == ("", chat.name)
    assert captions.captions[0].generation.token_ids == ()


def test_a_question_is_put_to_every_part_of_a_segment(
    chat: StableChat, long_clip: Path, encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, TimeSpan | None]] = []
    describe = StableChat.describe

    def noted(self: StableChat, video: Path, question: Any = None, **rest: Any) -> Any:
        asked.append((question, rest["segment"]))
        return describe(self, video, question, **rest)

    monkeypatch.setattr(StableChat, "describe", noted)
    let_say(monkeypatch, "Red.", "Blue.", ended="length")
    segment = TimeSpan(3, 7)
    captions = chat.caption(
        long_clip, "what colour?", window_seconds=2, segment=segment
    )
    assert asked == [
        ("what colour?", TimeSpan(3, 5)),
        ("what colour?", TimeSpan(5, 7)),
    ]
    assert told(captions) == [(3, 5, "Red."), (5, 7, "Blue.")]
    assert captions.question == "what colour?" and captions.segment == segment
    assert captions.issues == (
        "Parts whose words were cut off at the length limit: 2.",
    )


def test_a_short_video_is_exactly_one_description(clip: Path) -> None:
    chat = golden_files.new_chat()
    plain = chat.describe(clip)
    assert plain.question == DESCRIBE_QUESTION
    captions = chat.caption(clip)
    assert told(captions) == [(0, pytest.approx(3), plain.text)]
    # Its features were kept from the description, and still are.
    assert chat.describe(clip).generation.timings["encode_seconds"] == 0


def test_features_of_one_part_at_most_are_held(
    chat: StableChat, long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
    held: list[int] = []

    def encode(*_: Any, **__: Any) -> torch.Tensor:
        held.append(len(alive))
        visual = torch.zeros(1620, 64)
        alive.add(visual)
        return visual

    monkeypatch.setattr(turn_module, "encode_frames", encode)
    let_say(monkeypatch, *["It moves."] * 20)
    captions = chat.caption(long_clip, window_seconds=0.5)
    assert held == [0] * 20
    assert told(captions) == [(0, 10, "It moves.")]


def test_stop_ends_it_in_a_later_part_and_progress_tells_the_time_left(
    chat: StableChat, long_clip: Path, encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_say(monkeypatch, *"abcde")
    seen: list[SearchProgress] = []
    with pytest.raises(CancelledError):
        chat.caption(
            long_clip,
            window_seconds=2,
            on_progress=seen.append,
            cancelled=lambda: bool(seen) and seen[-1].window == 3,
        )
    assert len(encoded) == 2
    assert seen[0].remaining_seconds is None
    assert seen[-1].remaining_seconds is not None and seen[-1].num_windows == 5


@pytest.mark.parametrize(
    ("question", "options", "words"),
    [
        (None, {"window_seconds": 0}, "longer than 0 s"),
        (None, {"window_seconds": float("nan")}, "longer than 0 s"),
        (" ", {}, "empty"),
    ],
)
def test_what_can_not_be_asked_is_refused_before_anything_is_read(
    chat: StableChat, question: str | None, options: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        chat.caption("missing.mp4", question, **options)


def test_a_segment_behind_the_end_is_refused(chat: StableChat, clip: Path) -> None:
    with pytest.raises(InputError, match="choose an earlier one"):
        chat.caption(clip, segment=TimeSpan(5, 6))


def test_captions_check_themselves(chat: StableChat, clip: Path) -> None:
    said = Generation("x", (), "stop")
    with pytest.raises(StableChatError, match="needs words"):
        Caption(TimeSpan(0, 1), " \n", said)
    parts = (TimeSpan(0, 2), TimeSpan(1, 3))
    video = chat.caption(clip).video
    with pytest.raises(StableChatError, match="follow one another"):
        Captions(video, "", (), parts)
    with pytest.raises(StableChatError, match="follow one another"):
        Captions(video, "", tuple(Caption(p, "x", said) for p in parts), parts[:1])


def test_the_demo_model_tells_what_is_in_each_part() -> None:
    """The circle moves left from 0.27 to 3.93 seconds, and then no longer."""
    chat = StableChat.from_pretrained()
    captions = chat.caption(EXAMPLES / "red_circle.mp4", window_seconds=2)
    assert [each.span.start_seconds for each in captions.captions] == [0, 2, 4, 6, 8]
    assert captions.captions[-1].span.end_seconds == pytest.approx(10, abs=0.05)
    moving = ["red circle moves left" in each.text for each in captions.captions]
    assert moving == [True, True, False, False, False]
