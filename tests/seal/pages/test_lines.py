"""Lines pass through their points, all names are legible, losses are told from held-out ones."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from seal.pages.curves import loss_curves
from seal.pages.lines import Line, lines


def elements(drawing, kind, **where):
    return [
        e for e in ElementTree.fromstring(drawing).iter()
        if e.tag.endswith(kind) and all(e.get(key) == value for key, value in where.items())
    ]  # fmt: skip


def test_a_line_passes_through_its_points_upwards_for_more():
    drawn = lines([Line("a & b", ((0, 1), (5, 3), (10, 5)))], x_label="x", y_label="y")
    (path,) = elements(drawn, "path", **{"class": "line"})
    places = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", path.get("d"))]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert places[1][0] - places[0][0] == pytest.approx(places[2][0] - places[1][0], abs=0.2)
    assert places[0][1] - places[1][1] == pytest.approx(places[1][1] - places[2][1], abs=0.2)
    assert places[2][1] < places[0][1]


def test_every_name_stands_inside_the_picture_however_many_there_are():
    drawn = lines(
        [Line(f"a long name {i}", ((0, i),), i) for i in range(9)], x_label="", y_label=""
    )
    width = float(ElementTree.fromstring(drawn).get("width"))
    names = elements(drawn, "text", **{"class": "name"})
    assert len(names) == 9
    assert all(float(e.get("x")) + 6.6 * len(e.text) <= width for e in names)
    assert len({(e.get("x"), e.get("y")) for e in names}) == 9


@pytest.mark.parametrize("points", [(), ((0.0, math.nan),)])
def test_what_has_no_place_is_refused(points):
    with pytest.raises(ValueError, match="finite"):
        lines([Line("a", points)], x_label="x", y_label="y")


def names(told):
    return [e.text for e in elements(loss_curves(told), "text", **{"class": "name"})]


def test_the_loss_stands_before_its_parts_and_apart_from_held_out_ones():
    told = [{"step": i, "loss/ce": 1.0, "loss/l1": 0.5, "loss": 1.5} for i in range(1, 4)]
    told.append({"step": 3, "validation/loss": 2.0, "validation/loss/ce": 1.0})
    assert names(told) == ["loss", "ce", "l1", "loss, held out"]


def test_a_loss_of_one_part_is_drawn_once():
    assert names([{"step": i, "loss": 1.0, "loss/ce": 1.0} for i in (1, 2)]) == ["loss"]


def test_a_long_run_is_as_small_a_picture_as_a_short_one():
    drawn = [loss_curves([{"step": i, "loss": 1.0} for i in range(1, n)]) for n in (200, 20_000)]
    assert len(drawn[1]) < 1.3 * len(drawn[0])


def test_nothing_is_drawn_of_nothing():
    assert loss_curves([]) == "" and loss_curves([{"step": 1, "lr": 0.1}]) == ""
