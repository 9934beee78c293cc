"""What the model answered and what is true, a line of JSON for each question."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from render.exports.looks import look_from_dict, look_to_dict
from stablechat import StableChat
from stablechat.encoding import EncodedVideo
from stablechat.loader import load_model
from stablechat.questions import Question
from stablechat.second_look import second_look
from stablechat.types import (
    FloatArray,
    Generation,
    GenerationConfig,
    SecondLook,
    VideoInfo,
)
from training.calibrate.worlds import Asked, Drawn, draw_videos
from training.synthetic.annotations import Event

Json = dict[str, Any]
# A probability below a millionth moves no mean.
_DIGITS = 6


# Compared by identity: arrays have no single truth.
@dataclass(frozen=True, eq=False)
class Truth:
    """What happens in a video, by its own frames.

    Attributes:
        first_frame: Number of the event's first frame.
        xyxy: float64 ``(F, 4)``, pixels, a box for each frame of the event.
    """

    first_frame: int
    xyxy: FloatArray

    @property
    def last_frame(self) -> int:
        """Number of the event's last frame."""
        return self.first_frame + len(self.xyxy) - 1


@dataclass(frozen=True, eq=False)
class Row:
    """One question.

    Attributes:
        world: The name of the video's world.
        query: What was asked.
        video: About what.
        pts_seconds: float64 ``(N,)``, times of the frames the model saw.
        generation: What it said, with the probabilities.
        truth: None where nothing in the video fits the question.
        candidate: 0 for the plain answer, above it for others to the same question.
        log_likelihood: The mean of its tokens', in nats, where there are several.
        second_look: What the model calls what it found, where it is the only answer.
    """

    world: str
    query: str
    video: VideoInfo
    pts_seconds: FloatArray
    generation: Generation
    truth: Truth | None
    candidate: int = 0
    log_likelihood: float | None = None
    second_look: SecondLook | None = None

    @property
    def plain_generation(self) -> Generation:
        """The same words, without what is known of their scores."""
        return replace(self.generation, neighbour_probabilities=None)


@dataclass(frozen=True)
class Answered:
    """What the model said.

    Attributes:
        generation: Its words.
        log_likelihood: Of them, where there are others to compare with.
        second_look: What the model calls what it found, where there are no others.
    """

    generation: Generation
    log_likelihood: float | None
    second_look: SecondLook | None


class AskingChat(StableChat):
    """StableChat that tells the times of the frames as well."""

    def ask(
        self, path: Path, query: str, configs: Sequence[GenerationConfig]
    ) -> tuple[EncodedVideo, list[Answered]]:
        """Put an STVG question, to be answered in several ways."""
        question = Question(query, "stvg")
        with self.turn(None, None) as turn:
            encoded = turn.encode_video(path, None)
            prompt = question.prompt(encoded.video, encoded.pts_seconds)
            end = question.last_row(turn.first_time_token, encoded.pts_seconds)
            found = [turn.answer(encoded, prompt, each, end) for each in configs]
            scores: list[float | None] = [None] * len(found)
            looks: list[SecondLook | None] = [None] * len(found)
            if len(found) > 1:
                scores = [*turn.score(encoded, prompt, found)]
            else:
                answer = self.interpret(question, found[0], encoded)
                looks = [second_look(turn, encoded, answer)]
        return encoded, list(map(Answered, found, scores, looks))


def ask_about_videos(
    seed: int,
    numbers: Iterable[int],
    model: str | None,
    configs: Sequence[GenerationConfig],
    world: str | None = None,
) -> Iterator[list[Json]]:
    """Draw videos, ask about each and throw it away.

    Args:
        seed: Of the videos; one that no training and no other set has.
        numbers: Which of the seed's videos.
        model: Folder or hub id; None is the demo model.
        configs: How to decode each candidate; the first is the plain answer.
        world: Of all videos, by name; None mixes them.

    Yields:
        The rows of each video, as :func:`read_rows` reads them.
    """
    chat = AskingChat(load_model(model))
    with tempfile.TemporaryDirectory() as folder:
        for drawn in draw_videos(seed, numbers, Path(folder), world):
            rows = []
            for asked in drawn.asked:
                encoded, found = chat.ask(drawn.path, asked.query, configs)
                for number, answered in enumerate(found):
                    row = _to_json(drawn, asked, encoded, answered)
                    rows.append({**row, "candidate": number})
            drawn.path.unlink()
            yield rows


def _to_json(
    drawn: Drawn, asked: Asked, encoded: EncodedVideo, answered: Answered
) -> Json:
    generation = answered.generation
    scores = generation.neighbour_probabilities
    video = encoded.video
    return {
        "world": drawn.world,
        "video_number": int(drawn.path.stem),
        "query": asked.query,
        "width": video.width,
        "height": video.height,
        "fps": str(video.fps),
        "num_frames": video.num_frames,
        "duration_seconds": video.duration_seconds,
        "pts_seconds": encoded.pts_seconds.round(_DIGITS).tolist(),
        "text": generation.text,
        "token_ids": list(generation.token_ids),
        "finish_reason": generation.finish_reason,
        "log_likelihood": answered.log_likelihood,
        **look_to_dict(answered.second_look),
        "neighbours": [] if scores is None else scores.round(_DIGITS).tolist(),
        "truth": None if asked.event is None else _truth_to_json(asked.event),
    }


def _truth_to_json(event: Event) -> Json:
    boxes = [
        event.boxes[str(f)] for f in range(event.first_frame, event.last_frame + 1)
    ]
    return {"first_frame": event.first_frame, "xywh": boxes}


def read_rows(path: Path) -> list[Row]:
    """All rows of a file that :func:`ask_about_videos` filled."""
    with path.open(encoding="utf-8") as lines:
        return [_row(json.loads(line)) for line in lines]


def _row(data: Json) -> Row:
    fps = Fraction(data["fps"])
    video = VideoInfo(
        path=Path(f"{data['video_number']}.mp4"),
        width=data["width"],
        height=data["height"],
        rotation=0,
        fps=fps,
        num_frames=data["num_frames"],
        duration_seconds=data["duration_seconds"],
        start_seconds=0.0,
        has_audio=False,
        codec="h264",
    )
    generation = Generation(
        data["text"],
        tuple(data["token_ids"]),
        data["finish_reason"],
        neighbour_probabilities=np.array(data["neighbours"], np.float64),
    )
    pts = np.array(data["pts_seconds"], np.float64)
    truth = None if data["truth"] is None else _truth(data["truth"])
    return Row(
        data["world"],
        data["query"],
        video,
        pts,
        generation,
        truth,
        data.get("candidate", 0),
        data.get("log_likelihood"),  # not in rows of earlier versions
        look_from_dict(data),
    )


def _truth(data: Json) -> Truth:
    xywh = np.array(data["xywh"], np.float64)
    return Truth(
        data["first_frame"], np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])
    )
