"""Cuts a clip with a box and compares it with the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from render.boxes import BoxStyle, line_thickness
from render.clipper import ClipOptions, cut_clip
from stablechat.types import (
    Clip,
    FloatArray,
    FrameArray,
    Generation,
    Grounding,
    TimeSpan,
    Tube,
    VideoInfo,
)
from tests.corpus.cases import Case
from tests.corpus.check_video import (
    Clock,
    Problems,
    check_corners,
    closest_is_another,
)
from tests.corpus.nasty import load_generator
from tests.corpus.reference import Reference, Sound, read_number, read_sound, thumb

#: No scene is of this colour; a line this thick survives chroma at half resolution.
STYLE = BoxStyle(color_rgb=(255, 0, 255), line_scale=3.0, corners=False)
OPTIONS = ClipOptions(label=False, preset="ultrafast", crf=12, style=STYLE)

#: The box as shares of the picture: below the barcode, above the puck.
BOX = (0.50, 0.60, 0.80, 0.76)
BOX_SHIFT = 0.1  # it moves right by this share of the width

MIN_BOX_SIDE = 160  # smaller pictures have no room for lines to be measured
SPAN_SECONDS = 1.2
LEAD_SECONDS = 0.5  # of the span, before the flash
MIN_SYNC_SECONDS = 0.020
AAC_FRAME = 1024  # samples; the last one is filled up


@dataclass(frozen=True)
class Shown:
    """A clip as a player shows it.

    Attributes:
        frames: uint8 ``(H, W, 3)`` RGB, each.
        seconds: When each comes on screen.
        sound: Its sound, or None.
    """

    frames: list[FrameArray]
    seconds: list[float]
    sound: Sound | None


def check_clip(
    case: Case,
    info: VideoInfo,
    clock: Clock,
    reference: Reference | None,
    out: Path,
    problems: Problems,
) -> None:
    """Cut a short span and compare the clip with what it was cut from."""
    span = _choose_span(case, info, clock)
    has_room = min(info.width, info.height) >= MIN_BOX_SIDE
    tube = _tube(info, span)
    # In a small picture the lines would cover the barcode.
    drawn = tube if has_room or not case.truth.barcode else None
    generation = Generation("", (), "stop")
    grounding = Grounding(info, "q", "stvg", span, drawn, "", None, generation)
    clip = cut_clip(grounding, out, options=OPTIONS)
    shown = _play(clip, problems)
    if shown is None:
        return
    _check_shape(case, info, clip, shown, problems)
    _check_ends(info, clock, span, clip, problems)
    if case.expect == "ok":
        _check_pictures(case, clock, clip, shown, reference, problems)
        _check_sync(case, clip, shown, problems)
    if case.expect == "ok" and has_room:
        _check_box(info, clock, tube, clip, shown, problems)


def _choose_span(case: Case, info: VideoInfo, clock: Clock) -> TimeSpan:
    """Around a flash with a beep; else in the middle; at least three pictures."""
    end = info.duration_seconds
    length = min(max(SPAN_SECONDS, 3 * clock.step), end - info.start_seconds)
    both = _flashes_with_beep(case)
    wanted = (info.start_seconds + end - length) / 2
    if both:
        wanted = both[len(both) // 2] - LEAD_SECONDS
    start = max(info.start_seconds, min(wanted, end - length))
    return TimeSpan(start, start + length)


def _flashes_with_beep(case: Case) -> list[float]:
    flashes, beeps = case.truth.flash_times, case.truth.beep_times
    return [t for t in flashes if not beeps or any(abs(t - b) < 1e-3 for b in beeps)]


def _tube(info: VideoInfo, span: TimeSpan) -> Tube:
    """A box in the middle half of the span, moving right."""
    size = np.array([info.width, info.height] * 2, np.float64)
    shift = np.array([BOX_SHIFT * info.width, 0, BOX_SHIFT * info.width, 0])
    first = np.array(BOX) * size
    length = span.duration_seconds
    start = span.start_seconds + length / 4
    end = max(start + length / 2, start + 1e-3)
    return Tube(np.array([start, end]), np.stack([first, first + shift]))


def _play(clip: Clip, problems: Problems) -> Shown | None:
    """Decode the clip as a player does; every packet must be good."""
    with av.open(str(clip.path)) as container:
        kinds = [stream.type for stream in container.streams]
        wanted = ["video", "audio"] if clip.has_audio else ["video"]
        problems.expect(kinds == wanted, f"clip: streams {kinds} are not {wanted}")
        video = container.streams.video[0]
        coded = (video.codec_context.name, video.codec_context.pix_fmt)
        problems.same("clip: coding", coded, ("h264", "yuv420p"))
        if container.streams.audio:
            sound = container.streams.audio[0].codec_context.name
            problems.same("clip: sound's coding", sound, "aac")
        try:
            decoded = list(container.decode(video))
        except av.FFmpegError as error:
            problems.append(f"clip: does not play: {error}")
            return None
        turned = [f.rotation for f in decoded if f.rotation]
        problems.expect(not turned, "clip: has a display matrix")
        frames = [frame.to_ndarray(format="rgb24") for frame in decoded]
        seconds = [float(frame.time or 0.0) for frame in decoded]
    return Shown(frames, seconds, read_sound(str(clip.path)))


def _check_shape(
    case: Case, info: VideoInfo, clip: Clip, shown: Shown, problems: Problems
) -> None:
    scale = min(1.0, OPTIONS.max_side / max(info.width, info.height))
    sides = (max(1, round(side * scale)) for side in (info.width, info.height))
    even = tuple(side + side % 2 for side in sides)
    problems.same("clip: size", (clip.width, clip.height), even)
    problems.same("clip: frames", len(shown.frames), clip.num_frames)
    problems.same("clip: sound", clip.has_audio, case.truth.has_audio)
    problems.same("clip: sound in file", shown.sound is not None, clip.has_audio)
    height, width = shown.frames[0].shape[:2]
    problems.same("clip: decoded size", (width, height), (clip.width, clip.height))
    if shown.sound is not None:
        length = clip.span.duration_seconds
        slack = 0.05 + AAC_FRAME / shown.sound.rate
        problems.near("clip: length of sound", shown.sound.seconds, length, slack)


def _check_ends(
    info: VideoInfo, clock: Clock, span: TimeSpan, clip: Clip, problems: Problems
) -> None:
    """The clip begins and ends within one picture of what was asked for."""
    begins = clock.seconds[clock.index_at(span.start_seconds)]
    asked = max(info.start_seconds, span.start_seconds)
    frame = max(clock.step, clip.span.duration_seconds / clip.num_frames)
    start = clip.span.start_seconds
    problems.expect(
        min(begins, asked) - frame <= start <= asked + frame,
        f"clip: starts at {start:.4f}, asked {asked:.4f}, picture on {begins:.4f}",
    )
    # The picture on screen at the end belongs to the clip.
    end, step = clip.span.end_seconds, max(clock.step, 1 / 5)
    low, high = span.end_seconds - clock.step, span.end_seconds + step
    problems.expect(
        low - 0.002 <= end <= high + 0.002,
        f"clip: ends at {end:.4f}, asked {span.end_seconds:.4f}",
    )


def _check_pictures(
    case: Case,
    clock: Clock,
    clip: Clip,
    shown: Shown,
    reference: Reference | None,
    problems: Problems,
) -> None:
    """Each picture of the clip is the one on screen then, within half a picture."""
    half = clip.span.duration_seconds / clip.num_frames / 2 + 0.002
    wrong, rows = [], range(len(shown.frames))
    if clock.numbers is None:
        rows = range(0, len(shown.frames), max(1, len(shown.frames) - 1))
    for row in rows:
        time = clip.span.start_seconds + shown.seconds[row]
        low, high = clock.index_at(time - half), clock.index_at(time + half)
        if clock.numbers is not None:
            number = read_number(shown.frames[row])
            if number not in clock.numbers[low : high + 1]:
                wrong.append(f"{row} shows {number}, not {clock.numbers[low]}")
        elif reference is not None and reference.thumbs:
            index = min(clock.index_at(time), len(reference.thumbs) - 1)
            given = thumb(shown.frames[row])
            text = closest_is_another(given, reference, index, allowed=1)
            wrong += [f"{row}: {text}"] if text else []
    check_corners("corners of the clip", case, shown.frames[0], problems)
    problems.expect(not wrong, f"clip: {len(wrong)} wrong pictures: {wrong[:3]}")


def _check_sync(case: Case, clip: Clip, shown: Shown, problems: Problems) -> None:
    """Flash and beep are as far apart as in the file that was cut."""
    start, end = clip.span.start_seconds, clip.span.end_seconds
    inside = [t for t in _flashes_with_beep(case) if start + 0.2 < t < end - 0.3]
    known = case.truth.barcode and case.truth.beep_times
    if not inside or not known or shown.sound is None:
        return
    lit = [load_generator().is_flash(frame) for frame in shown.frames]
    flashes = [shown.seconds[k] for k in range(1, len(lit)) if lit[k] > lit[k - 1]]
    beeps = shown.sound.beeps()
    if lit[0] and not flashes:
        return  # a slow clip, lit from its first picture on
    if not flashes or not beeps:
        problems.append(f"clip: flashes {flashes}, beeps {beeps} of {inside}")
        return
    allowed = max(MIN_SYNC_SECONDS, clip.span.duration_seconds / clip.num_frames)
    problems.checked.add("sync")
    apart = min((f - b for f in flashes for b in beeps), key=abs)
    problems.near("clip: flash after beep", apart, 0.0, allowed + 0.001)


def _check_box(
    info: VideoInfo,
    clock: Clock,
    tube: Tube,
    clip: Clip,
    shown: Shown,
    problems: Problems,
) -> None:
    """The box is on its place while it is known, and nowhere at other times."""
    problems.checked.add("box")
    frame = clip.span.duration_seconds / clip.num_frames
    scale = min(1.0, OPTIONS.max_side / max(info.width, info.height))
    first, last = tube.times_seconds
    missing, extra = [], []
    for row, picture in enumerate(shown.frames):
        time = clip.span.start_seconds + shown.seconds[row]
        # A picture that stays for long keeps the box of when it came.
        moments = (time - clock.slack, time + clock.slack)
        boxes = [_box_since(tube, clock, moment) * scale for moment in moments]
        shares = max((_line_shares(picture, box) for box in boxes), key=min)
        if first + frame < time < last - frame and min(shares) < 0.6:
            missing.append((row, [round(s, 2) for s in shares]))
        outside = time < first - 1.01 * frame or time > last + 1.01 * frame
        if outside and min(shares) > 0.4:
            extra.append((row, [round(s, 2) for s in shares]))
    problems.expect(not missing, f"clip: no box where it belongs: {missing[:3]}")
    problems.expect(not extra, f"clip: a box outside its time: {extra[:3]}")


def _box_since(tube: Tube, clock: Clock, seconds: float) -> FloatArray:
    """The box when the picture that is on screen came; the nearest outside the tube."""
    came = float(clock.seconds[clock.index_at(seconds)])
    return np.array([np.interp(came, tube.times_seconds, x) for x in tube.xyxy.T])


def _line_shares(picture: FrameArray, box: FloatArray) -> list[float]:
    """Share of the points on each of the four sides that have the line's colour."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = box
    reach = math.ceil(line_thickness(width, height, STYLE) / 2)
    along_x = np.linspace(x1 + 0.2 * (x2 - x1), x2 - 0.2 * (x2 - x1), 9)
    along_y = np.linspace(y1 + 0.3 * (y2 - y1), y2 - 0.3 * (y2 - y1), 9)
    sides = [
        [(x, y1) for x in along_x],
        [(x, y2) for x in along_x],
        [(x1, y) for y in along_y],
        [(x2, y) for y in along_y],
    ]
    return [
        sum(_is_line(picture, x, y, reach) for x, y in side) / len(side)
        for side in sides
    ]


def _is_line(picture: FrameArray, x: float, y: float, reach: int) -> bool:
    """Whether the line goes through a point, give or take its thickness."""
    column, row = round(x), round(y)
    near = picture[
        max(0, row - reach) : row + reach + 1,
        max(0, column - reach) : column + reach + 1,
    ].astype(int)
    return bool((np.minimum(near[..., 0], near[..., 2]) - near[..., 1]).max() > 90)
