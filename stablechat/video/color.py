"""What the numbers in a picture mean, by its tags and, where there are none, by rule.

Nobody tags reliably, so the gaps are filled as players and browsers fill them: large
pictures are BT.709, small ones BT.601, YUV has limited range and RGB full.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import av
from av.video.reformatter import ColorRange

Matrix = Literal["bt601", "bt709"]

#: Pictures up to this size are taken for BT.601 when nothing is said (mpv, Chromium).
MAX_SD_WIDTH, MAX_SD_HEIGHT = 1279, 576

#: Names of FFmpeg's options by AVColorPrimaries and AVColorTransferCharacteristic.
_PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
_TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
_HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})
#: Those with colours that BT.709 lacks: of television, of cinemas and of Apple.
_WIDE_PRIMARIES = frozenset({"bt2020", "smpte431", "smpte432"})

#: Swscale's numbers of matrices; PyAV 17 has no name for the last.
_BT709, _FCC, _BT601, _SMPTE240M, _BT2020 = 1, 4, 5, 7, 9
#: The same by AVColorSpace. It refuses pictures with any other tag, so those
#: (YCgCo, ICtCp, reserved numbers) are treated as if they had none.
_MATRICES = {
    1: _BT709,
    4: _FCC,
    5: _BT601,
    6: _BT601,
    7: _SMPTE240M,
    9: _BT2020,
    10: _BT2020,
}
_MATRIX_NAMES: dict[int, Matrix] = {
    _BT601: "bt601",
    _BT709: "bt709",
}
_FULL_RANGE_YUV = frozenset(
    {"yuvj411p", "yuvj420p", "yuvj422p", "yuvj440p", "yuvj444p"}
)
_TAGS = ("colorspace", "color_range", "color_primaries", "color_trc")
_UNSPECIFIED = 2
_GRAY = ("gray", "ya", "mono")


@dataclass(frozen=True)
class ColorSpace:
    """What the planes of a YUV picture mean, in the names of FFmpeg's options.

    Attributes:
        matrix: Coefficients between YUV and RGB.
        full_range: Whether black is 0 and white 255, rather than 16 and 235.
        primaries: What red, green and blue are, e.g. ``bt709`` or ``smpte170m``.
        transfer: The curve from stored values to light, e.g. ``bt709``.
    """

    matrix: Matrix
    full_range: bool
    primaries: str
    transfer: str

    @property
    def swscale_matrix(self) -> int:
        """Swscale's number for the matrix."""
        return {"bt601": _BT601, "bt709": _BT709}[self.matrix]

    @property
    def swscale_range(self) -> int:
        """Swscale's number for the range."""
        return _range_number(self.full_range)


#: What everything becomes that can't stay as it is.
SDR = ColorSpace("bt709", False, "bt709", "bt709")


@dataclass(frozen=True)
class SourceColor:
    """What the numbers in a decoded picture mean, the gaps in its tags filled.

    Attributes:
        swscale_matrix: Swscale's number for the matrix; of no meaning for RGB.
        full_range: Whether the range is full.
        primaries: FFmpeg's name.
        transfer: FFmpeg's name.
        is_yuv: Whether it is YUV or gray, and not RGB.
        has_alpha: Whether some of it may be transparent.
    """

    swscale_matrix: int
    full_range: bool
    primaries: str
    transfer: str
    is_yuv: bool
    has_alpha: bool

    @property
    def swscale_range(self) -> int:
        """Swscale's number for the range."""
        return _range_number(self.full_range)

    @property
    def needs_mapping(self) -> bool:
        """Whether it has light or colours that an ordinary screen lacks."""
        return self.transfer in _HDR_TRANSFERS or self.primaries in _WIDE_PRIMARIES

    @property
    def is_sdr_yuv(self) -> bool:
        """Whether an ordinary screen shows the planes rightly as they are."""
        known = self.swscale_matrix in _MATRIX_NAMES
        return self.is_yuv and known and not self.needs_mapping

    @property
    def sdr(self) -> ColorSpace:
        """What its planes mean in 8-bit YUV that an ordinary screen can show.

        YUV keeps its own BT.601 or BT.709, since old players that read no tags guess
        it by the size; all else becomes BT.709. The range is limited: many players
        take all H.264 for that.
        """
        if not self.is_sdr_yuv:
            return SDR
        matrix = _MATRIX_NAMES[self.swscale_matrix]
        return ColorSpace(matrix, False, self.primaries, self.transfer)


def source_color(frame: av.VideoFrame) -> SourceColor:
    """Find out what the numbers in a decoded picture mean.

    Args:
        frame: As the decoder gave it.

    Returns:
        Its tags, the gaps filled.
    """
    layout = frame.format
    is_yuv = not (layout.is_rgb or layout.has_palette)
    transfer = _TRANSFERS.get(frame.color_trc)
    hdr = transfer in _HDR_TRANSFERS  # hardly exists with anything but BT.2020
    guessed = _BT2020 if hdr else _matrix_by_size(frame)
    matrix = _MATRICES.get(frame.colorspace, guessed)
    primaries = "bt2020" if hdr else _primaries_by_size(frame)
    return SourceColor(
        swscale_matrix=matrix,
        full_range=_is_full_range(frame, is_yuv),
        primaries=_PRIMARIES.get(frame.color_primaries, primaries),
        transfer=transfer or "bt709",
        is_yuv=is_yuv,
        has_alpha=layout.has_palette or any(c.is_alpha for c in layout.components),
    )


@contextmanager
def tagged_for_swscale(frame: av.VideoFrame, source: SourceColor) -> Iterator[None]:
    """Tags that say what swscale has to know; it refuses pictures with others.

    Primaries and transfer have none: nothing is converted by them. The picture has its
    own back afterwards.

    Args:
        frame: The picture.
        source: What it means.
    """
    own = {name: getattr(frame, name) for name in _TAGS}
    frame.colorspace = source.swscale_matrix if source.is_yuv else 0
    frame.color_range = source.swscale_range
    frame.color_primaries = frame.color_trc = _UNSPECIFIED
    try:
        yield
    finally:
        for name, value in own.items():
            setattr(frame, name, value)


def _matrix_by_size(frame: av.VideoFrame) -> int:
    small = frame.width <= MAX_SD_WIDTH and frame.height <= MAX_SD_HEIGHT
    return _BT601 if small else _BT709


def _primaries_by_size(frame: av.VideoFrame) -> str:
    """Only the sizes of television had primaries of their own."""
    if _matrix_by_size(frame) == _BT709:
        return "bt709"
    return {576: "bt470bg", 480: "smpte170m", 486: "smpte170m"}.get(
        frame.height, "bt709"
    )


def _is_full_range(frame: av.VideoFrame, is_yuv: bool) -> bool:
    name = frame.format.name
    if not is_yuv or name in _FULL_RANGE_YUV:
        return True
    if name.startswith(_GRAY):  # of still pictures as a rule; video codecs tag theirs
        return frame.color_range != ColorRange.MPEG
    return frame.color_range == ColorRange.JPEG


def _range_number(full_range: bool) -> int:
    return int(ColorRange.JPEG if full_range else ColorRange.MPEG)
