"""What a search through a long video found, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from render.exports.answers import grounding_to_dict
from render.exports.spans import segment_to_dict, span_to_dict
from render.exports.videos import video_to_dict
from render.fields import Json
from stablechat.errors import InputError
from stablechat.types import Moment, Moments

#: Of a moment's files, in the table of a search's.
_OF_ONE = ("clip", "grounding", "png")


def searches_to_dict(
    searches: Sequence[Moments], files: Mapping[str, Path] | None = None
) -> Json:
    """Searches through one video as plain values that strict JSON can hold.

    Args:
        searches: At least one.
        files: What was written of all their moments, in the order of the searches, as
            ``saving.Exported`` names it: the second moment's clip is ``"clip_2"``.

    Returns:
        The content of ``moments.json``.

    Raises:
        InputError: There is no search, or they are about several videos.
    """
    if len({search.video.path for search in searches}) != 1:
        raise InputError("Searches that are saved together must be about one video.")
    files = dict(files or {})
    numbers = iter(range(1, 1 + sum(len(search.moments) for search in searches)))
    return {
        "video": video_to_dict(searches[0].video),
        "model": searches[0].model,
        **segment_to_dict(searches[0].segment),
        "windows": [span_to_dict(window) for window in searches[0].windows],
        "searches": [
            {
                "query": search.query,
                "num_moments": search.num_moments,
                "moments": [
                    _moment(moment, rank, _taken(files, next(numbers)))
                    for rank, moment in enumerate(search.moments, 1)
                ],
            }
            for search in searches
        ],
        "files": {name: str(path) for name, path in files.items()},
    }


def _taken(files: dict[str, Path], number: int) -> dict[str, Path]:
    """The files of one moment, which are taken out of those of all."""
    names = {name: name if number == 1 else f"{name}_{number}" for name in _OF_ONE}
    return {name: files.pop(key) for name, key in names.items() if key in files}


def _moment(moment: Moment, rank: int, files: Mapping[str, Path]) -> Json:
    answer = grounding_to_dict(moment.grounding, files)
    for told in ("video", "query", "model", "segment", "alternatives"):
        answer.pop(told, None)  # above, once for all
    return {
        "rank": rank,
        "windows": [span_to_dict(window) for window in moment.windows],
        **answer,
    }
