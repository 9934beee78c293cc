"""Light and colours that an ordinary screen lacks, brought to where it has them.

One table says it for every colour: the light of the source, compressed as BT.2390 does
it, moved to the primaries of BT.709, what lies outside brought in with its hue kept.
FFmpeg looks pictures up in it; its own mapping takes seconds to make such a table.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, cast

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.filter.context import FilterContext

from stablechat.video.color import ColorSpace, SourceColor, tagged_for_swscale

Floats = npt.NDArray[np.float64]

#: Light of white on the screen that is mapped to, in nits: that of paper in BT.2408.
SDR_WHITE = 203.0
#: Brightest light of a video that does not name one; most are graded for it.
DEFAULT_PEAK = 1000.0
MAX_PEAK = 10_000.0
_SCREEN_GAMMA = 2.4  # BT.1886

_LEVEL = 6  # the table has its square of points a side: 36
#: FFmpeg has fast code for planes only, and mixes up those of whole numbers (its
#: versions 5 to 9 do).
_LAYOUT = "gbrpf32le"

_D65 = (0.3127, 0.3290)
#: x and y of red, green and blue.
_CHROMATICITIES = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt470bg": ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    "smpte170m": ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "smpte431": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "smpte432": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_LUMA_BT2020 = np.array([0.2627, 0.6780, 0.0593])
_LUMA_BT709 = np.array([0.2126, 0.7152, 0.0722])

#: Of AVMasteringDisplayMetadata: eight rationals of colour, the least light, then the
#: most as a rational, whether the colours are known, whether the light is.
_MASTERING = struct.Struct("=72x2i4xi")


class _Filters(NamedTuple):
    """A graph, held so that it lives as long as its ends."""

    graph: Graph
    start: FilterContext
    end: FilterContext


class ToneMapper:
    """Makes ordinary pictures of those that need it. Not for several threads."""

    def __init__(self) -> None:
        self._filters: _Filters | None = None
        self._made_for: tuple[object, ...] = ()
        self._peak: float | None = None
        self._count = 0

    def to_sdr(
        self, frame: av.VideoFrame, source: SourceColor, layout: str, color: ColorSpace
    ) -> av.VideoFrame:
        """Convert a picture of high dynamic range or wide gamut.

        The first picture's peak is taken for all, so that they do not flicker.

        Args:
            frame: The picture.
            source: What it means.
            layout: FFmpeg's name of the result's pixel format.
            color: Matrix and range of the result; without effect on RGB.

        Returns:
            A picture of the same size.
        """
        if self._peak is None:
            self._peak = peak_of(frame)
        needs = (frame.width, frame.height, frame.format.name, source, layout, color)
        if self._filters is None or needs != self._made_for:
            table = mapping_table(source.transfer, source.primaries, self._peak)
            self._filters = _filters(frame, source, table, layout, color)
            self._made_for = needs
        own_time, frame.pts = frame.pts, self._count
        self._count += 1  # the filter wants times that increase
        try:
            with tagged_for_swscale(frame, source):
                self._filters.start.push(frame)
        finally:
            frame.pts = own_time
        return cast(av.VideoFrame, self._filters.end.pull())


def peak_of(frame: av.VideoFrame) -> float:
    """The brightest light of a video in nits, as its mastering screen says."""
    try:
        data = frame.side_data.get("MASTERING_DISPLAY_METADATA")
    except ValueError:  # PyAV does not know a newer kind of side data
        data = None
    if data is None:
        return DEFAULT_PEAK
    content = bytes(data)  # type: ignore[call-overload]  # a buffer; the stubs differ
    if len(content) < _MASTERING.size:
        return DEFAULT_PEAK
    above, below, known = _MASTERING.unpack_from(content)
    if not known or above <= 0 or below <= 0:
        return DEFAULT_PEAK
    return float(np.clip(above / below, SDR_WHITE, MAX_PEAK))


def mapping_table(transfer: str, primaries: str, peak: float) -> Floats:
    """What every colour becomes.

    Args:
        transfer: FFmpeg's name; all but PQ and HLG are taken for a screen's gamma.
        primaries: FFmpeg's name; those of BT.709 for one that is not known.
        peak: Brightest light in nits; for PQ.

    Returns:
        ``(N, N, N, 3)`` of RGB, 0..1, indexed by blue, green and red of the source.
    """
    steps = np.linspace(0, 1, _LEVEL * _LEVEL)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    signal = np.stack([red, green, blue], axis=-1)
    if transfer == "smpte2084":
        light = _compressed(_pq_to_nits(signal), peak) / SDR_WHITE
    elif transfer == "arib-std-b67":
        light = _compressed(_hlg_to_nits(signal), DEFAULT_PEAK) / SDR_WHITE
    else:
        light = signal**_SCREEN_GAMMA
    shown = light @ _to_bt709(primaries).T
    result: Floats = _inside(shown) ** (1 / _SCREEN_GAMMA)
    return result


def _pq_to_nits(signal: Floats) -> Floats:
    """SMPTE ST 2084."""
    power = signal ** (1 / 78.84375)
    base = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    nits: Floats = MAX_PEAK * base ** (1 / 0.1593017578125)
    return nits


def _nits_to_pq(nits: Floats) -> Floats:
    power = (nits / MAX_PEAK) ** 0.1593017578125
    ratio = (0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)
    signal: Floats = ratio**78.84375
    return signal


def _hlg_to_nits(signal: Floats) -> Floats:
    """BT.2100, on a screen of 1000 nits."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luma = scene @ _LUMA_BT2020
    nits: Floats = DEFAULT_PEAK * luma[..., None] ** 0.2 * scene
    return nits


def _compressed(nits: Floats, peak: float) -> Floats:
    """Bend light above the knee of BT.2390 so that ``peak`` becomes white.

    The strongest of the three decides and all are scaled alike, which keeps hue and
    saturation.
    """
    strongest = nits.max(axis=-1, keepdims=True).clip(1e-6, None)
    top = float(_nits_to_pq(np.array(peak)))
    white = float(_nits_to_pq(np.array(SDR_WHITE))) / top
    level = (_nits_to_pq(strongest) / top).clip(0, 1)
    knee = 1.5 * white - 0.5
    t = ((level - knee) / (1 - knee + 1e-9)).clip(0, 1)
    bent = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * white
    )
    level = np.where(level > knee, bent, level)
    bent_nits: Floats = nits * _pq_to_nits(level * top) / strongest
    return bent_nits


def _to_bt709(primaries: str) -> Floats:
    """The matrix between linear RGB, ``(3, 3)``."""
    source = _CHROMATICITIES.get(primaries, _CHROMATICITIES["bt709"])
    whole: Floats = np.linalg.inv(_to_xyz(_CHROMATICITIES["bt709"])) @ _to_xyz(source)
    return whole


def _to_xyz(primaries: tuple[tuple[float, float], ...]) -> Floats:
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    x, y = _D65
    scale: Floats = np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y]))
    matrix: Floats = columns * scale
    return matrix


def _inside(light: Floats) -> Floats:
    """Mix colours with their gray as far as it takes to have them in 0..1."""
    gray = (light @ _LUMA_BT709)[..., None].clip(0, 1)
    tint = light - gray
    room = np.where(tint < 0, gray, 1 - gray) / np.abs(tint).clip(1e-9, None)
    share = room.min(axis=-1, keepdims=True).clip(0, 1)
    mixed: Floats = (gray + tint * share).clip(0, 1)
    return mixed


def _filters(
    frame: av.VideoFrame,
    source: SourceColor,
    table: Floats,
    layout: str,
    color: ColorSpace,
) -> _Filters:
    """FFmpeg's filters: to RGB, through the table, to what is wanted."""
    graph = Graph()
    side = _LEVEL**3
    matrix = source.swscale_matrix if source.is_yuv else 0
    picture = graph.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
        f":time_base=1/1000:colorspace={matrix}:range={source.swscale_range}",
    )
    clut = graph.add(
        "buffer", f"video_size={side}x{side}:pix_fmt={_LAYOUT}:time_base=1/1000"
    )
    to_rgb = graph.add("scale", "threads=1")  # the decoder has the others busy
    rgb = graph.add("format", _LAYOUT)
    look_up = graph.add("haldclut", "clut=first:threads=1")
    out_range = "full" if color.full_range else "limited"
    out = f"threads=1:out_color_matrix={color.matrix}:out_range={out_range}"
    from_rgb = graph.add("scale", out)
    picture.link_to(to_rgb)
    to_rgb.link_to(rgb)
    rgb.link_to(look_up, 0, 0)
    clut.link_to(look_up, 0, 1)
    look_up.link_to(from_rgb)
    wanted = graph.add("format", layout)
    end = graph.add("buffersink")
    from_rgb.link_to(wanted)
    wanted.link_to(end)
    graph.configure()
    square = table.astype(np.float32).reshape(side, side, 3)
    hald = av.VideoFrame.from_ndarray(square, _LAYOUT)
    hald.pts = 0
    clut.push(hald)
    clut.push(None)
    return _Filters(graph, picture, end)
