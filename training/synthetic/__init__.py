"""A small drawn world to ground questions in, with exact truth.

Several coloured shapes on a varied background; each rests, does one thing for a
while, and rests again. The same scenes are drawn in bulk on a device for training
(:mod:`raster`) and frame by frame at full size into H.264 files (:mod:`video`).
"""
