"""Matrices as one: nothing is held twice, whoever joins them."""

from __future__ import annotations

import torch
from torch import nn

from stablechat.model.joining import join_parameters


def parts() -> list[nn.Parameter]:
    return [nn.Parameter(torch.randn(height, 3)) for height in (2, 4, 1)]


def test_parts_become_views_of_the_whole() -> None:
    these = parts()
    wanted = torch.cat([part.data for part in these])
    whole = join_parameters(these)
    assert torch.equal(whole, wanted)
    whole[2] = 7
    assert torch.equal(these[1].data[0], torch.full((3,), 7.0))


def test_joined_parts_are_not_joined_again() -> None:
    these = parts()
    first = join_parameters(these)
    again = join_parameters(these)
    assert again.data_ptr() == first.data_ptr() and again.shape == first.shape
    some = join_parameters(these[1:])
    assert some.data_ptr() == these[1].data_ptr() and torch.equal(some, first[2:])


def test_neighbours_in_another_order_are_joined_anew() -> None:
    these = parts()
    first = join_parameters(these)
    turned = join_parameters(these[::-1])
    assert torch.equal(turned, torch.cat([first[6:], first[2:6], first[:2]]))


def test_vectors_and_single_ones() -> None:
    biases = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.zeros(3))]
    assert join_parameters(biases).tolist() == [1, 1, 0, 0, 0]
    assert join_parameters(biases[:1]).data_ptr() == biases[0].data_ptr()
