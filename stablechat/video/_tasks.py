"""What a child process does with a file; see :mod:`stablechat.video.isolation`."""

from __future__ import annotations

import numpy as np

from stablechat.video._decode import decode_pictures
from stablechat.video._inspect import inspect_here
from stablechat.video._inspection import inspection_from, inspection_message
from stablechat.video.isolation import Channel, Message
from stablechat.video.limits import VideoLimits
from stablechat.video.orient import Orientation, PictureConverter


def _inspect(request: Message, channel: Channel) -> Message:
    limits = VideoLimits(**request.data["limits"])
    return inspection_message(inspect_here(str(request.data["path"]), limits))


def _pictures(request: Message, channel: Channel) -> Message:
    """Sends each picture as it is decoded: arrays are the timeline's and ``wanted``."""
    data = request.data
    found = inspection_from(request)
    orientation = Orientation(data["rotation"], data["mirrored"])
    width, height = data["size"]
    for decoded in decode_pictures(
        data["path"],
        found.timeline,
        request.arrays[-1].tolist(),
        PictureConverter(orientation, (width, height)),
        VideoLimits(**data["limits"]),
    ):
        place = {"row": decoded.row, "number": decoded.number}
        channel.send(Message(place, [np.ascontiguousarray(decoded.picture)]))
    return Message()


TASKS = {"inspect": _inspect, "pictures": _pictures}
