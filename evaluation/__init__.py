"""Benchmarks: ask a model every row of one, and score what it answered."""
