"""Label text as pictures: which font, how much of the text fits, the pill around it.

OpenCV's own fonts know ASCII only, so the text is set by Pillow. The font that comes
inside Pillow covers Latin; for anything else the first installed font that knows the
characters is taken.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stablechat.types import FrameArray

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
ColorRGB = tuple[int, int, int]

ELLIPSIS = "…"

#: A character no font has: whatever is drawn for it is drawn for every unknown one.
_UNKNOWN = "\U0010fffe"

#: Longer labels are cut before they are measured; no frame shows more.
_MAX_CHARACTERS = 240

#: The pill is drawn this many times larger and scaled down, which smooths its edge.
_SUPERSAMPLING = 4

_DARK: ColorRGB = (16, 18, 22)
_LIGHT: ColorRGB = (255, 255, 255)

#: Well-known places of fonts that cover Chinese, Japanese and Korean, then the rest.
FONT_PATHS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/arphic/uming.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/Hiragino Sans GB.ttc",
    "/System/Library/Fonts/STHeiti Medium.ttc",
    "C:/Windows/Fonts/msyh.ttc",
    "C:/Windows/Fonts/simhei.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/Library/Fonts/Arial Unicode.ttf",
    "C:/Windows/Fonts/arial.ttf",
)

#: Names one more font file to try first.
FONT_VARIABLE = "STABLECHAT_FONT"


@dataclass(frozen=True, eq=False)
class LabelPicture:
    """A rendered label.

    Attributes:
        rgb: uint8 ``(h, w, 3)``.
        alpha: uint8 ``(h, w, 1)``, 255 where the label hides the frame.
    """

    rgb: FrameArray
    alpha: FrameArray

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.rgb.shape[0])


def clean_text(text: str) -> str:
    """One line without control characters, short enough to measure."""
    visible = "".join(c if c.isprintable() else " " for c in text[:_MAX_CHARACTERS])
    return " ".join(visible.split())


def contrasting_color(background: ColorRGB) -> ColorRGB:
    """Dark or white, whichever is easier to read on a background (WCAG contrast)."""
    luminance = _luminance(background)
    on_dark = (luminance + 0.05) / (_luminance(_DARK) + 0.05)
    on_light = (_luminance(_LIGHT) + 0.05) / (luminance + 0.05)
    return _DARK if on_dark >= on_light else _LIGHT


def _luminance(color: ColorRGB) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (value / 255 for value in color)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@lru_cache(maxsize=64)
def load_font(path: str | None, size: int) -> Font | None:
    """A font file at a size in pixels; None is Pillow's own; None when unreadable."""
    if path is None:
        return ImageFont.load_default(size)
    if not Path(path).is_file():
        return None
    try:
        return ImageFont.truetype(path, size)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _knows(path: str | None, character: str) -> bool:
    """Whether a font has its own picture for a character."""
    font = load_font(path, 16)
    if font is None:
        return False
    if character.isspace():
        return True
    return bytes(font.getmask(character)) != bytes(font.getmask(_UNKNOWN))


def choose_font(text: str, size: int) -> tuple[Font, str]:
    """The font for a label, and the text with what no font knows left out.

    Args:
        text: One line.
        size: Height of the font in pixels.

    Returns:
        The font that knows the most characters (the earliest of equals) and the part
        of the text it knows; that part is empty when it knows nothing.
    """
    own = os.environ.get(FONT_VARIABLE)
    candidates: list[str | None] = [own] if own else []
    candidates += [None, *FONT_PATHS]
    best: str | None = None
    best_known = ""
    for path in candidates:
        known = "".join(c for c in text if _knows(path, c))
        if len(known) > len(best_known):
            best, best_known = path, known
        if len(known) == len(text):
            break
    font = load_font(best, size) or ImageFont.load_default(size)
    return font, " ".join(best_known.split())


def shorten(text: str, font: Font, max_width: float) -> str:
    """The longest beginning of a text that fits, with an ellipsis if it was cut.

    Args:
        text: One line.
        font: How it is set.
        max_width: Pixels there are.

    Returns:
        The text, a shortened text, or ``""`` when not even one character fits.
    """
    if font.getlength(text) <= max_width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle].rstrip() + ELLIPSIS) <= max_width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + ELLIPSIS if low else ""


@lru_cache(maxsize=256)
def render_label(
    text: str, font_size: int, max_width: int, color_rgb: ColorRGB
) -> LabelPicture | None:
    """A pill with text, ready to be laid over a frame. Cached.

    Args:
        text: What to write; line breaks become spaces.
        font_size: Height of the font in pixels.
        max_width: Widest pill in pixels.
        color_rgb: Colour of the pill; the text is dark or white to stand out.

    Returns:
        The picture, or None when there is nothing that can be shown in that width.
    """
    font, known = choose_font(clean_text(text), font_size)
    pad_x, pad_y = round(font_size * 0.5), round(font_size * 0.28)
    shown = shorten(known, font, max_width - 2 * pad_x - 2)
    if not shown:
        return None
    # The height comes from the font, not from the text: a label without descenders
    # is as tall as one with, and labels do not jump when the words change.
    top, bottom = _ink_rows(font)
    width = min(max_width, round(font.getlength(shown)) + 2 * pad_x + 2)
    height = round(bottom - top) + 2 * pad_y + 2
    rgb, alpha = _pill(width, height, color_rgb)
    origin = ((width - font.getlength(shown)) / 2, pad_y + 1 - top)
    ImageDraw.Draw(rgb).text(
        origin, shown, font=font, fill=contrasting_color(color_rgb)
    )
    rgb_array = np.asarray(rgb, dtype=np.uint8)
    alpha_array = np.asarray(alpha, dtype=np.uint8)[:, :, None]
    # The cache hands the same arrays to every caller.
    rgb_array.flags.writeable = False
    alpha_array.flags.writeable = False
    return LabelPicture(rgb_array, alpha_array)


def _ink_rows(font: Font) -> tuple[float, float]:
    """First and last row that letters use, from the top of the line."""
    _, top, _, bottom = font.getbbox("Ágjy国")
    _, cap_top, _, base = font.getbbox("H")
    # Equal room above capitals and below the baseline looks centred; descenders
    # may use the padding.
    descent = min(bottom - base, 0.12 * (base - cap_top))
    return min(cap_top, max(top, cap_top - descent)), base + descent


def _pill(width: int, height: int, color: ColorRGB) -> tuple[Image.Image, Image.Image]:
    """A filled rounded rectangle with a thin dark rim, and its alpha."""
    scale = _SUPERSAMPLING
    size = (width * scale, height * scale)
    radius = round(min(height * 0.28, 10) * scale)
    rim = max(1, height // 24) * scale
    alpha = Image.new("L", size, 0)
    ImageDraw.Draw(alpha).rounded_rectangle(
        (0, 0, size[0] - 1, size[1] - 1), radius, fill=255
    )
    rgb = Image.new("RGB", size, _DARK)
    ImageDraw.Draw(rgb).rounded_rectangle(
        (rim, rim, size[0] - 1 - rim, size[1] - 1 - rim),
        max(0, radius - rim),
        fill=color,
    )
    box = Image.Resampling.BOX
    return rgb.resize((width, height), box), alpha.resize((width, height), box)


def blend(
    pixels: FrameArray, color: ColorRGB | FrameArray, alpha: FrameArray
) -> FrameArray:
    """Lay a colour, or a picture, over pixels; ``alpha`` is uint8 ``(h, w, 1)``."""
    weight = alpha.astype(np.uint16)
    over = np.asarray(color, dtype=np.uint16)
    mixed = over * weight + pixels * (255 - weight) + 127
    return (mixed // 255).astype(np.uint8)


def paste(canvas: FrameArray, picture: LabelPicture, x: int, y: int) -> None:
    """Lay a label over a canvas, in place.

    Args:
        canvas: uint8 ``(H, W, 3)``.
        picture: The label; it must lie inside the canvas.
        x: Its left edge in pixels.
        y: Its top edge in pixels.
    """
    region = canvas[y : y + picture.height, x : x + picture.width]
    region[:] = blend(region, picture.rgb, picture.alpha)
