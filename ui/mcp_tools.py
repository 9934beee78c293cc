"""What an agent can do: the tools of the MCP server, and the types of their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from mcp.server.fastmcp import Context, FastMCP
from pydantic import Field

from stablechat.windows import DEFAULT_PART_SECONDS
from ui.mcp_page import Page

_INSTRUCTIONS = (
    "Ask questions about video files on this machine: find when and where something "
    "happens and get a clip of it, or get a description."
)

Caller = Context[Any, Any, Any]

_Video = Annotated[str, Field(description="path of a video file on this machine")]
_Start = Annotated[
    float | None,
    Field(description="look only from this second on; null is the beginning", ge=0),
]
_End = Annotated[
    float | None, Field(description="look only to this second; null is the end", ge=0)
]
_Confidence = Annotated[
    float | None,
    Field(
        description="0 to 1: the overlap with the truth to be expected if it is in the "
        "video at all; null where it is not known"
    ),
]


@dataclass(frozen=True)
class Box:
    """Where something is at one moment."""

    time_seconds: Annotated[float, Field(description="on the video's clock")]
    xyxy: Annotated[
        list[float],
        Field(description="left, top, right, bottom in pixels of the displayed frame"),
    ]
    confidence: _Confidence


@dataclass(frozen=True)
class Found:
    """When and where something happens."""

    found: Annotated[bool, Field(description="whether anything was found")]
    start_seconds: Annotated[
        float | None, Field(description="when it begins; null if no time was found")
    ]
    end_seconds: Annotated[float | None, Field(description="when it ends")]
    confidence: _Confidence
    is_guess: Annotated[
        bool, Field(description="whether it is probably not what was asked for")
    ]
    model_calls_it: Annotated[
        str | None,
        Field(description="what the model calls what it found, asked for that"),
    ]
    boxes: Annotated[
        list[Box], Field(description="where it is; between them a box moves evenly")
    ]
    clip: Annotated[
        str | None,
        Field(description="path of an MP4 of the moment with boxes; null if not found"),
    ]
    text: Annotated[str, Field(description="the model's own words")]
    issues: Annotated[
        list[str], Field(description="what was odd about the answer or the video")
    ]


@dataclass(frozen=True)
class Described:
    """What happens in a video."""

    text: Annotated[str, Field(description="the description, or the answer")]
    issues: Annotated[list[str], Field(description="what was odd about the video")]


@dataclass(frozen=True)
class Part:
    """What happens in a part of a video."""

    start_seconds: Annotated[float, Field(description="of the part; not found")]
    end_seconds: Annotated[float, Field(description="of the part; not found")]
    text: Annotated[str, Field(description="what happens, or the answer")]


@dataclass(frozen=True)
class Told:
    """What happens in a video, part by part."""

    parts: Annotated[
        list[Part],
        Field(description="in order; neighbours with the same words are one"),
    ]
    issues: Annotated[
        list[str], Field(description="what was odd about the answers or the video")
    ]


def make_server(page: Page) -> FastMCP:
    """An MCP server with the tools ``ground``, ``describe`` and ``captions``.

    Args:
        page: Answers the questions.
    """
    server: FastMCP = FastMCP("StableChat", _INSTRUCTIONS, log_level="ERROR")

    @server.tool()
    async def ground(
        video: _Video,
        query: Annotated[
            str, Field(description='what to look for, "the red circle moving left"')
        ],
        caller: Caller,
        look_from_seconds: _Start = None,
        look_to_seconds: _End = None,
    ) -> Found:
        """Find when something happens in a video, and where.

        The clip shows it with its box and its sound. Something is answered even where
        it is not in the video: look at the clip, or ask for a description.
        """
        words = [query, *_times(look_from_seconds, look_to_seconds)]
        clip, data = await page.ask("/ground_part", video, words, caller)
        return _found(data, None if clip is None else page.keep(clip))

    @server.tool()
    async def describe(
        video: _Video,
        caller: Caller,
        question: Annotated[
            str, Field(description="about the video; empty asks for a description")
        ] = "",
        look_from_seconds: _Start = None,
        look_to_seconds: _End = None,
    ) -> Described:
        """Say what happens in a video, or answer a question about it."""
        words = [question, *_times(look_from_seconds, look_to_seconds)]
        data = await page.ask("/describe_part", video, words, caller)
        return Described(data["text"], list(data["video"]["warnings"]))

    @server.tool()
    async def captions(
        video: _Video,
        caller: Caller,
        question: Annotated[
            str, Field(description="put to each part; empty asks for descriptions")
        ] = "",
        part_seconds: Annotated[
            float, Field(description="length of a part; each takes as long as describe")
        ] = DEFAULT_PART_SECONDS,
        look_from_seconds: _Start = None,
        look_to_seconds: _End = None,
    ) -> Told:
        """Say what happens in a video part by part, each with its start and end.

        The video is cut into parts of one length, and each is looked at by itself: the
        times are those of the parts.
        """
        part = _times(look_from_seconds, look_to_seconds)
        words: list[str | float] = [question, part_seconds, *part]
        data = await page.ask("/captions", video, words, caller)
        parts = [
            Part(each["start_seconds"], each["end_seconds"], each["text"])
            for each in data["captions"]
        ]
        return Told(parts, [*data["video"]["warnings"], *data["issues"]])

    return server


def _times(*seconds: float | None) -> list[str]:
    """Times as the page's fields take them; empty is the video's end."""
    return ["" if each is None else f"{each:.3f}" for each in seconds]


def _found(data: dict[str, Any], clip: str | None) -> Found:
    span, boxes = data["span"], data["boxes"]
    return Found(
        found=span is not None or bool(boxes),
        start_seconds=None if span is None else span["start_seconds"],
        end_seconds=None if span is None else span["end_seconds"],
        confidence=data["confidence"],
        is_guess=data["is_guess"],
        model_calls_it=(data.get("second_look") or {}).get("words"),
        boxes=[
            Box(box["time_seconds"], box["xyxy"], box["confidence"]) for box in boxes
        ],
        clip=clip,
        text=data["text"],
        issues=[*data["video"]["warnings"], *data["issues"]],
    )
