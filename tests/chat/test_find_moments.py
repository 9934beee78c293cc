"""A long video, asked about window by window."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import golden_files
import pytest
import torch

from stablechat import second_look as second_look_module
from stablechat import turn as turn_module
from stablechat.chat import StableChat
from stablechat.errors import CancelledError, InputError, VideoError
from stablechat.search import search_video
from stablechat.types import Generation, GenerationConfig, SearchProgress, SecondLook

BOX = "[<WIDTH-010><HEIGHT-010><WIDTH-050><HEIGHT-060>]"
ANSWER = (
    "During the span of {<TEMP-030><TEMP-060>}. Object bounding box: "
    f"<TEMP-030>:{BOX}, <TEMP-045>:{BOX}, <TEMP-060>:{BOX}"
)
NOTHING = "I can't see that."


@pytest.fixture
def long_clip(tmp_path: Path) -> Path:
    """10 seconds, 10 pictures a second."""
    return golden_files.write_clip(tmp_path / "long.mp4", count=100)


def let_say(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    """Let the model say one text after the other."""
    said = iter(texts)

    def generate(*_: Any, **__: Any) -> Generation:
        return Generation(next(said), (1, 2), "stop", {"decode_seconds": 0.1})

    monkeypatch.setattr(turn_module, "generate", generate)
    monkeypatch.setattr(
        second_look_module, "second_look", lambda *_: SecondLook("it", 0.1)
    )


def test_a_short_video_is_exactly_one_plain_ground(clip: Path) -> None:
    chat = golden_files.new_chat()
    config = GenerationConfig(max_new_tokens=40, grammar=True)
    plain = golden_files.new_chat().ground(clip, "the square", config=config)
    found = chat.find_moments(clip, "the square", config=config)
    assert len(found.windows) == 1
    (moment,) = found.moments
    answer = moment.grounding
    assert (answer.span, answer.confidence) == (plain.span, plain.confidence)
    assert answer.generation.token_ids == plain.generation.token_ids
    assert answer.tube is not None and plain.tube is not None
    assert answer.tube.xyxy.tolist() == plain.tube.xyxy.tolist()
    # Its features are kept, as after any question.
    again = chat.ground(clip, "the circle", config=config)
    assert again.generation.timings["encode_seconds"] == 0


def test_answers_stand_on_the_clock_of_the_whole_video(
    chat: StableChat, long_clip: Path, encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_say(monkeypatch, NOTHING, ANSWER, NOTHING)
    found = chat.find_moments(
        long_clip, "the square", window_seconds=4, overlap_seconds=1
    )
    starts = [window.start_seconds for window in found.windows]
    assert starts == [0, 3, 6]
    assert encoded == [100, 100, 100]
    (moment,) = found.moments
    assert moment.windows == (found.windows[1],)
    span = moment.grounding.span
    assert span is not None
    # The window's pictures are those from 3.0 to 7.0 seconds.
    assert span.start_seconds == pytest.approx(3 + 0.3 * 4, abs=0.11)
    assert span.end_seconds == pytest.approx(3 + 0.6 * 4, abs=0.11)
    assert moment.grounding.second_look == SecondLook("it", 0.1)
    assert moment.grounding.generation.token_ids == ()
    assert (found.query, found.model) == ("the square", chat.name)


def test_no_window_finds_anything(
    chat: StableChat, long_clip: Path, encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_say(monkeypatch, *[NOTHING] * 5)
    found = chat.find_moments(long_clip, "the dog", window_seconds=2, overlap_seconds=0)
    assert (found.moments, len(found.windows)) == ((), 5)


def test_features_of_one_window_at_most_are_held(
    chat: StableChat, long_clip: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts what is alive whenever another window is encoded."""
    alive: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
    held: list[int] = []

    def encode(*_: Any, **__: Any) -> torch.Tensor:
        held.append(len(alive))
        visual = torch.zeros(1620, 64)
        alive.add(visual)
        return visual

    monkeypatch.setattr(turn_module, "encode_frames", encode)
    let_say(monkeypatch, *[ANSWER] * 100)
    chat.describe(clip)
    searches = [
        chat.find_moments(long_clip, "it", window_seconds=1, overlap_seconds=0.1)
        for _ in range(2)
    ]
    windows = [window for search in searches for window in search.windows]
    assert len(windows) == 22
    # The other video's features are kept, nothing else.
    assert held == [0, *[1] * len(windows)]
    assert len(alive) == 1
    assert chat.describe(clip).generation.timings["encode_seconds"] == 0


def test_several_queries_share_a_windows_features(
    chat: StableChat, long_clip: Path, encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_say(monkeypatch, ANSWER, NOTHING, NOTHING, ANSWER)
    first, second = search_video(
        chat, long_clip, ["a", "b"], window_seconds=6, overlap_seconds=1
    )
    assert encoded == [100, 100]
    assert (first.query, second.query) == ("a", "b")
    assert first.moments[0].windows == (first.windows[0],)
    assert second.moments[0].windows == (second.windows[1],)


def test_stop_ends_a_search_in_a_later_window(
    chat: StableChat, long_clip: Path, encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_say(monkeypatch, *[ANSWER] * 5)
    seen: list[SearchProgress] = []
    with pytest.raises(CancelledError):
        chat.find_moments(
            long_clip,
            "it",
            window_seconds=2,
            overlap_seconds=0,
            on_progress=seen.append,
            cancelled=lambda: bool(seen) and seen[-1].window == 3,
        )
    assert len(encoded) == 2
    assert not chat._lock.locked()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window_seconds": 0}, "longer than 0 s"),
        ({"overlap_seconds": 60}, "less than 60 s"),
        ({"top": 0}, "1 or more"),
    ],
)
def test_bad_options_are_refused_before_anything_is_read(
    chat: StableChat, options: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        chat.find_moments("missing.mp4", "it", **options)


def test_bad_questions_and_files_are_refused(chat: StableChat, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty"):
        chat.find_moments("missing.mp4", " ")
    with pytest.raises(VideoError):
        chat.find_moments(tmp_path / "missing.mp4", "it")
