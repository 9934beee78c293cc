"""What the form remembers, and what is made of nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.settings import MAX_CANDIDATES, Settings


def test_what_was_chosen_comes_back() -> None:
    chosen = Settings("describe", 4)
    assert Settings.from_stored(chosen.to_stored()) == chosen


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        "describe",
        {},
        {"mode": "rm -rf", "candidates": MAX_CANDIDATES + 1},
        {"mode": ["ground"], "candidates": True},
        {"mode": None, "candidates": 2.5},
        {"mode": {}, "candidates": "4"},
    ],
)
def test_what_can_not_be_used_is_dropped(stored: object) -> None:
    assert Settings.from_stored(stored) == Settings()


def test_half_of_it_may_be_good() -> None:
    stored = {"mode": "describe", "candidates": 0}
    assert Settings.from_stored(stored) == Settings("describe", 1)


json_value = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.fixed_dictionaries({"mode": json_value, "candidates": json_value}))
def test_anything_makes_settings_that_can_be_used(stored: object) -> None:
    settings = Settings.from_stored(stored)
    assert settings.mode in ("ground", "describe")
    assert 1 <= settings.candidates <= MAX_CANDIDATES
