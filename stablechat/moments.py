"""From the answers about windows to moments of the video: joined, then ranked.

**Which answers are one moment.** Two windows that overlap both saw the time they
share. Their answers mean the same moment if, cut to that time, the spans overlap by a
temporal IoU of at least :data:`SAME_TIME_IOU`, and the boxes that both have in it by a
mean IoU of at least :data:`SAME_BOX_IOU`: two things may happen at once. Comparing
whole spans would not do, since a window cuts what goes on beyond its edge.

**How they are joined.** An end at its window's edge was cut there and does not count
where another window saw on; the ends that count are averaged, weighted by the spans'
confidence. Boxes are averaged at every time that any window knows, weighted by their
confidence and by their distance to the edge of their window, so that the tube passes
smoothly from one window to the next. The confidence of a joined moment is the mean of
its windows', weighted by how much of it each of them found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stablechat.types import (
    FloatArray,
    Generation,
    Grounding,
    Moment,
    Moments,
    TimeSpan,
    Tube,
    VideoInfo,
    WindowAnswer,
)

#: Least temporal IoU of two answers to be one moment, within what both windows saw.
SAME_TIME_IOU = 0.5
#: Least mean IoU of their boxes there.
SAME_BOX_IOU = 0.3

# An end this close to its window's edge, as a share of the window, was cut by it: two
# of a hundred frames.
_EDGE_SHARE = 0.02
# Keeps weights above 0: of boxes at the very edge, and of answers that are in doubt.
_LEAST_WEIGHT = 1e-3
# Times nearer than this are one time.
_SAME_TIME_SECONDS = 1e-6


def ranked_moments(
    video: VideoInfo,
    query: str,
    windows: Sequence[TimeSpan],
    answers: Sequence[WindowAnswer],
    top: int | None = None,
    model: str = "",
) -> Moments:
    """Join the answers that mean one moment, and rank the moments.

    Args:
        video: What was asked about.
        query: What the person typed.
        windows: What was looked at, in the video's order.
        answers: About them; those that found nothing are left out.
        top: How many moments to keep; None is all.
        model: Who answered.

    Returns:
        The best first: by the second look where there is one, then by confidence. What
        was odd about any window is among the warnings of the video.
    """
    noted = [note for each in answers for note in each.answer.video.warnings]
    video = replace(video, warnings=tuple(dict.fromkeys([*video.warnings, *noted])))
    found = [answer for answer in answers if answer.answer.found]
    moments = sorted((_join(group) for group in _groups(found)), key=_rank)
    kept = tuple(moments[:top])
    return Moments(video, query, kept, tuple(windows), len(moments), model)


def _rank(moment: Moment) -> tuple[float, float, float]:
    """Lower is better; what was not measured comes after what was."""
    look, confidence = moment.grounding.second_look, moment.grounding.confidence
    return (
        math.inf if look is None else look.difference,
        math.inf if confidence is None else -confidence,
        moment.windows[0].start_seconds,
    )


# --- which answers are one moment -----------------------------------------------


def _groups(answers: Sequence[WindowAnswer]) -> list[list[WindowAnswer]]:
    """Answers that are one moment, each group in the video's order."""
    in_order = sorted(answers, key=lambda answer: answer.window.start_seconds)
    groups: list[list[WindowAnswer]] = []
    for answer in in_order:
        same = [g for g in groups if any(same_moment(each, answer) for each in g)]
        for group in same:
            groups.remove(group)
        groups.append([*(each for group in same for each in group), answer])
    return groups


def same_moment(first: WindowAnswer, second: WindowAnswer) -> bool:
    """Whether the answers about two windows mean one moment of the video."""
    shared = _common(first.window, second.window)
    spans = first.answer.span, second.answer.span
    if shared is None or spans[0] is None or spans[1] is None:
        return False
    cut = _common(spans[0], shared), _common(spans[1], shared)
    if cut[0] is None or cut[1] is None or _iou(cut[0], cut[1]) < SAME_TIME_IOU:
        return False
    overlap = _box_overlap(first.answer.tube, second.answer.tube)
    return overlap is None or overlap >= SAME_BOX_IOU


def _common(first: TimeSpan, second: TimeSpan) -> TimeSpan | None:
    start = max(first.start_seconds, second.start_seconds)
    end = min(first.end_seconds, second.end_seconds)
    return TimeSpan(start, end) if start < end else None


def _iou(first: TimeSpan, second: TimeSpan) -> float:
    both = _common(first, second)
    if both is None:
        return 0.0
    either = first.duration_seconds + second.duration_seconds - both.duration_seconds
    return both.duration_seconds / either


def _box_overlap(first: Tube | None, second: Tube | None) -> float | None:
    """Mean IoU of two tubes where both have a box; None where they never do."""
    if first is None or second is None:
        return None
    times = _all_times([first, second])
    pairs = [(first.at(time), second.at(time)) for time in times]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return float(np.mean([box_iou(a, b) for a, b in known])) if known else None


def box_iou(first: FloatArray, second: FloatArray) -> float:
    """How much two boxes overlap, xyxy ``(4,)`` each: 0..1."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    both = float(np.prod(np.maximum(high - low, 0.0)))
    either = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]))
    return both / (either - both) if either > both else 0.0


# --- how they are joined --------------------------------------------------------


def _join(group: Sequence[WindowAnswer]) -> Moment:
    grounding = group[0].answer if len(group) == 1 else _joined(group)
    windows = tuple(each.window for each in group)
    return Moment(grounding, windows)


def _joined(group: Sequence[WindowAnswer]) -> Grounding:
    answers = [each.answer for each in group]
    best = max(answers, key=lambda answer: answer.confidence or 0.0)
    span = _joined_span(group)
    looks = [a.second_look for a in answers if a.second_look is not None]
    lengths = [a.span.duration_seconds if a.span is not None else 0.0 for a in answers]
    return replace(
        best,
        span=span,
        tube=_joined_tube(group, span),
        confidence=_mean([a.confidence for a in answers], lengths),
        span_confidence=_mean([a.span_confidence for a in answers], lengths),
        generation=_joined_text(answers),
        issues=tuple(dict.fromkeys(issue for a in answers for issue in a.issues)),
        alternatives=(),
        log_likelihood=None,
        second_look=min(looks, key=lambda look: look.difference, default=None),
    )


def _joined_span(group: Sequence[WindowAnswer]) -> TimeSpan:
    """The span that several windows saw; a cut end counts only where all are cut."""
    starts, ends = [], []
    for each in group:
        span, window = each.answer.span, each.window
        if span is None:
            continue
        sure = max(each.answer.span_confidence or 0.0, _LEAST_WEIGHT)
        edge = _EDGE_SHARE * window.duration_seconds
        starts.append(
            (span.start_seconds, sure, span.start_seconds - window.start_seconds > edge)
        )
        ends.append(
            (span.end_seconds, sure, window.end_seconds - span.end_seconds > edge)
        )
    start = _seen(starts, min(time for time, _, _ in starts))
    end = _seen(ends, max(time for time, _, _ in ends))
    return TimeSpan(min(start, end), max(start, end))


def _seen(ends: Sequence[tuple[float, float, bool]], outermost: float) -> float:
    """The mean of the ends that were seen, by their weights; else the outermost."""
    seen = [(time, weight) for time, weight, was_seen in ends if was_seen]
    if not seen:
        return outermost
    times, weights = zip(*seen, strict=True)
    return float(np.average(times, weights=weights))


def _joined_tube(group: Sequence[WindowAnswer], span: TimeSpan) -> Tube | None:
    tubes = [(each.answer.tube, each.window) for each in group]
    known = [(tube, window) for tube, window in tubes if tube is not None]
    if not known:
        return None
    times = _all_times([tube for tube, _ in known])
    inside = times[(times >= span.start_seconds) & (times <= span.end_seconds)]
    times = inside if inside.size else times
    total, boxes = np.zeros(len(times)), np.zeros((len(times), 4))
    sure = np.zeros(len(times))
    for tube, window in known:
        weights = _weights(tube, window, times)
        total += weights
        boxes += weights[:, None] * _boxes_at(tube, times)
        sure += weights * _confidence_at(tube, times)
    has_confidence = all(tube.confidence is not None for tube, _ in known)
    known_times = total > 0
    mean = boxes[known_times] / total[known_times, None]
    return Tube(
        times[known_times],
        mean,
        # Rounding may end a hair above 1.
        np.clip(sure[known_times] / total[known_times], 0, 1)
        if has_confidence
        else None,
    )


def _weights(tube: Tube, window: TimeSpan, times: FloatArray) -> FloatArray:
    """What a tube counts at some times: 0 where it has no box."""
    has_box = (times >= tube.times_seconds[0]) & (times <= tube.times_seconds[-1])
    edge = np.minimum(times - window.start_seconds, window.end_seconds - times)
    share = np.maximum(edge / window.duration_seconds, _LEAST_WEIGHT)
    sure = np.maximum(_confidence_at(tube, times), _LEAST_WEIGHT)
    return np.asarray(np.where(has_box, share * sure, 0.0), np.float64)


def _boxes_at(tube: Tube, times: FloatArray) -> FloatArray:
    """float64 ``(T, 4)``; outside the tube its first or last box."""
    known = tube.times_seconds
    corners = [np.interp(times, known, tube.xyxy[:, i]) for i in range(4)]
    return np.stack(corners, axis=1)


def _confidence_at(tube: Tube, times: FloatArray) -> FloatArray:
    if tube.confidence is None:
        return np.ones(len(times))
    return np.asarray(np.interp(times, tube.times_seconds, tube.confidence), np.float64)


def _all_times(tubes: Sequence[Tube]) -> FloatArray:
    every = np.unique(np.concatenate([tube.times_seconds for tube in tubes]))
    return every[np.diff(every, prepend=-math.inf) > _SAME_TIME_SECONDS]


def _mean(values: Sequence[float | None], weights: Sequence[float]) -> float | None:
    """Weighted mean; None unless all are known."""
    known = [value for value in values if value is not None]
    if len(known) != len(values):
        return None
    total = [max(weight, _LEAST_WEIGHT) for weight in weights]
    return float(np.average(known, weights=total))


def _joined_text(answers: Sequence[Grounding]) -> Generation:
    """What the windows said, a line each; it can't be read as one answer."""
    generations = [answer.generation for answer in answers]
    timings: dict[str, float] = {}
    for generation in generations:
        for name, seconds in generation.timings.items():
            timings[name] = timings.get(name, 0.0) + seconds
    cut = any(generation.finish_reason == "length" for generation in generations)
    return Generation(
        text="\n".join(generation.text for generation in generations),
        token_ids=(),
        finish_reason="length" if cut else "stop",
        timings=timings,
        num_passes=sum(generation.num_passes for generation in generations),
    )
