"""Answers in the layout of COCO's detection annotations (https://cocodataset.org).

Pictures of the video are the images, as in COCO-style video datasets: ``video_id``,
``frame_id`` (the picture's number) and ``track_id`` tie them together. ``file_name`` is
the name that a picture has when it is taken out of the video, or that of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from render.exports.frames import AnswerFrame, answer_frames, is_image
from render.exports.words import BY_HAND, plain_line, safe_stem, title_of
from stablechat.grounding import shown_span
from stablechat.types import FloatArray, Grounding
from stablechat.video import Timeline

Json = dict[str, Any]

_VIDEO_ID = 1


def coco(answers: Sequence[Grounding], timeline: Timeline | None) -> Json:
    """COCO-style annotations: a category for each question, a track for each answer.

    Args:
        answers: About one video or image, at least one.
        timeline: Of the video; None for a still image.

    Returns:
        Plain values; ``bbox`` is ``[x, y, width, height]`` in pixels, ``segmentation``
        its outline.
    """
    frames = [answer_frames(answer, timeline) for answer in answers]
    shown = {frame.number: frame for each in frames for frame in each}
    images = {number: place for place, number in enumerate(sorted(shown), 1)}
    titles = list(dict.fromkeys(title_of(answer) for answer in answers))
    boxed = [
        (track, answer, frame)
        for track, (answer, each) in enumerate(zip(answers, frames, strict=True), 1)
        for frame in each
        if frame.xyxy is not None
    ]
    name = plain_line(answers[0].video.path.name)
    return {
        "info": {"description": f"Answers of StableChat about {name}"},
        "licenses": [],
        "videos": [_video(answers)],
        "images": [
            _image(answers[0], shown[number], place) for number, place in images.items()
        ],
        "annotations": [
            {
                "id": place,
                "image_id": images[frame.number],
                "category_id": titles.index(title_of(answer)) + 1,
                "track_id": track,
                **_shape(frame.xyxy),
                **_score(frame),
                **_corrected(answer),
            }
            for place, (track, answer, frame) in enumerate(boxed, 1)
            if frame.xyxy is not None
        ],
        "categories": [
            {"id": place, "name": title} for place, title in enumerate(titles, 1)
        ],
    }


def _video(answers: Sequence[Grounding]) -> Json:
    video = answers[0].video
    spans = [(answer, shown_span(answer)) for answer in answers]
    return {
        "id": _VIDEO_ID,
        "name": plain_line(video.path.name),
        "width": video.width,
        "height": video.height,
        "fps": round(float(video.fps), 6),
        "num_frames": video.num_frames,
        "moments": [
            {
                "query": plain_line(answer.query),
                "start_seconds": round(span.start_seconds, 6),
                "end_seconds": round(span.end_seconds, 6),
                **_corrected(answer),
            }
            for answer, span in spans
            if span is not None and not is_image(answer)
        ],
    }


def _image(answer: Grounding, frame: AnswerFrame, place: int) -> Json:
    video = answer.video
    name = plain_line(video.path.name)
    if not is_image(answer):
        name = f"{safe_stem(name)}/{frame.number:06d}.jpg"
    return {
        "id": place,
        "file_name": name,
        "width": video.width,
        "height": video.height,
        "video_id": _VIDEO_ID,
        "frame_id": frame.number,
        "time_seconds": round(frame.time_seconds, 6),
    }


def _shape(xyxy: FloatArray) -> Json:
    x1, y1, x2, y2 = (round(float(value), 3) for value in xyxy)
    width, height = round(x2 - x1, 3), round(y2 - y1, 3)
    return {
        "bbox": [x1, y1, width, height],
        "area": round(width * height, 3),
        "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]],
        "iscrowd": 0,
    }


def _score(frame: AnswerFrame) -> Json:
    return {} if frame.confidence is None else {"score": round(frame.confidence, 6)}


def _corrected(answer: Grounding) -> Json:
    """What COCO has no field for stands in ``attributes``, as annotation tools do."""
    return {} if answer.original is None else {"attributes": {"source": BY_HAND}}
