"""Draws answers: boxes on frames, finished clips, strips of key frames, JSON files.

Nothing is imported here, so that drawing a box does not load MoviePy.
"""
