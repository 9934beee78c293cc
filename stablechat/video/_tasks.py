"""What a child process does with a file; see :mod:`stablechat.video.isolation`."""

from __future__ import annotations

import numpy as np

from stablechat.video._decode import decode_pictures
from stablechat.video._inspect import inspect_here
from stablechat.video._inspection import inspection_message
from stablechat.video.handover import take_over
from stablechat.video.isolation import Channel, Message, write_shared
from stablechat.video.limits import VideoLimits, default_limits
from stablechat.video.orient import PictureConverter
from stablechat.video.probe import read_timeline
from stablechat.video.sampling import orientation_of


def _inspect(request: Message, channel: Channel) -> Message:
    limits = VideoLimits(**request.data["limits"])
    return inspection_message(inspect_here(str(request.data["path"]), limits))


def _pictures(request: Message, channel: Channel) -> Message:
    """Tells of each picture as it is decoded; sends it too, or puts it into its row of
    the shared memory."""
    video, rest = take_over(request)
    width, height = rest.data["size"]
    memory_fd = rest.data.get("memory_fd")
    for decoded in decode_pictures(
        video.path,
        read_timeline(video.path),
        rest.arrays[0].tolist(),
        PictureConverter(orientation_of(video), (width, height)),
        default_limits(),
    ):
        place = {
            "row": decoded.row,
            "number": decoded.number,
            "damaged": decoded.is_damaged,
        }
        picture = np.ascontiguousarray(decoded.picture)
        if memory_fd is None:
            channel.send(Message(place, [picture]))
        else:
            write_shared(memory_fd, picture, decoded.row * picture.nbytes)
            channel.send(Message(place))
    return Message()


TASKS = {"inspect": _inspect, "pictures": _pictures}
