"""Videos by link: fetched from the open internet, and from nowhere else."""

from stablechat.links.fetching import Fetched, FetchLimits, fetch_video

__all__ = ["FetchLimits", "Fetched", "fetch_video"]
