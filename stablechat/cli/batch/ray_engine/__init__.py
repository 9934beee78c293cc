"""A Ray cluster runs the stages; nothing else here imports Ray.

Ray Data streams the videos through: any number of processors read and finish, one
actor for each GPU (or each machine without any) holds the model, and what waits
between them is bounded.
"""

from __future__ import annotations

from stablechat.cli.batch.ray_engine.cluster import RayOptions, check_ray
from stablechat.cli.batch.ray_engine.pipeline import RayEngine

__all__ = ["RayEngine", "RayOptions", "check_ray"]
