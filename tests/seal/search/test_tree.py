"""Regions are split as the original split them, without gap or overlap."""

from __future__ import annotations

import numpy as np
import pytest
from golden_files import each_golden
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.geometry import Box
from seal.search.heatmap import NumpyHeat
from seal.search.tree import SearchNode, expand, split


@pytest.mark.goldens("splits")
def test_splits_equal_the_original():
    for case in each_golden("splits", "splits"):
        children = split(Box.from_xywh(*case["bbox"]))
        assert [[b.x0, b.y0, b.width, b.height] for b in children] == case["sub_patches"]
        assert (children[0].width, children[0].height) == (
            case["width_stride"],
            case["height_stride"],
        )
        if children[0].area > 0:  # a side of one pixel cannot be told from an unsplit one
            columns, rows = {b.x0 for b in children}, {b.y0 for b in children}
            assert [len(columns), len(rows)] == case["n_width_height"]


coordinate = st.integers(0, 3000)
side = st.integers(2, 4000)


@given(coordinate, coordinate, side, side)
@settings(max_examples=200, deadline=None)
def test_children_tile_their_parent_without_gap_or_overlap(x, y, width, height):
    box = Box.from_xywh(x, y, width, height)
    children = split(box)
    assert len(children) == 4
    assert all(child.area > 0 for child in children)
    assert sum(child.area for child in children) == box.area
    assert all(a.iou(b) == 0 for i, a in enumerate(children) for b in children[:i])
    assert min(c.x0 for c in children) == box.x0
    assert max(c.y1 for c in children) == box.y1


def heat(seed, box):
    shape = (int(box.height), int(box.width))
    return NumpyHeat(np.random.default_rng(seed).random(shape, np.float32))


def test_scores_add_every_ancestor_at_a_quarter_of_the_level_below():
    root = SearchNode(Box(0, 0, 64, 48), heat=heat(0, Box(0, 0, 64, 48)))
    node = expand(root)[3]
    node.heat = heat(1, node.box)
    for child in expand(node):
        inside_root = root.heat.shares([child.box])[0]
        x0, y0 = node.box.x0, node.box.y0
        inside_node = node.heat.shares([child.box.shift(-x0, -y0)])[0]
        assert child.score == pytest.approx(inside_root / 4 + inside_node / 16)
        assert (child.depth, child.parent) == (3, node)
    assert root.child_shares[3] / 4 == pytest.approx(node.score)
