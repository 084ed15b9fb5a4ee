"""The picture of quality against cost: what it shows, where labels stand, what it refuses."""

from __future__ import annotations

import math
import random
from xml.etree import ElementTree

import pytest

from seal.geometry import Box
from seal.pages.axes import axis, line_ticks, short
from seal.pages.labels import overlap, place_labels
from seal.pages.scatter import Point, front, scatter


def drawn(points, **options):
    return ElementTree.fromstring(scatter(points, x_label="s", y_label="%", **options))


def texts(svg, kind):
    return [e for e in svg.iter() if e.tag.endswith(kind)]


def cloud(count, seed=0):
    rng = random.Random(seed)
    return [
        Point(f"system {i}", 10 ** rng.uniform(-2, 3), rng.uniform(0, 90), 5.0, 95.0, i)
        for i in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 7, 40])
@pytest.mark.parametrize("same", [False, True])
def test_every_system_has_a_point_and_a_label_and_no_label_covers_anything(count, same):
    rng = random.Random(count)
    spots = [
        (100.0, 100.0) if same else (rng.uniform(60, 500), rng.uniform(20, 600))
        for _ in range(count)
    ]
    area = Box(50, 10, 520, 640)
    widths = [rng.uniform(20, 160) for _ in spots]
    labels = place_labels(spots, widths, height=15, area=area)
    boxes = [label.box for label in labels]
    assert [box.width for box in boxes] == pytest.approx(widths)
    for i, box in enumerate(boxes):
        assert not any(overlap(box, other) for other in boxes[:i])
        assert not any(overlap(box, Box(x - 4, y - 4, x + 4, y + 4)) for x, y in spots)
        assert box.y0 >= area.y0 and box.y1 <= area.y1


def test_a_label_keeps_off_what_else_is_in_the_way():
    wall = Box(112, 0, 114, 200)
    (label,) = place_labels(
        [(100.0, 100.0)], [40.0], height=15, area=Box(0, 0, 400, 200), obstacles=[wall]
    )
    assert not overlap(label.box, wall)


def test_the_front_is_what_no_other_system_beats():
    points = [
        Point("cheap", 1, 40), Point("good", 10, 80), Point("as good, dearer", 20, 80),
        Point("worse, dearer", 15, 60), Point("best", 100, 85), Point("cheap too", 1, 40),
    ]  # fmt: skip
    assert [points[i].name for i in front(points)] == ["cheap", "cheap too", "good", "best"]


def test_the_front_holds_the_best_and_the_cheapest_of_any_cloud():
    for seed in range(20):
        points = cloud(30, seed)
        kept = front(points)
        assert max(points, key=lambda p: p.y) in [points[i] for i in kept]
        costs, heights = [points[i].x for i in kept], [points[i].y for i in kept]
        assert costs == sorted(costs) and heights == sorted(heights)


def test_all_that_is_told_stands_inside_the_picture():
    points = [*cloud(30), Point("a <b> & c", 5, 50, 45, 55)]
    svg = drawn(points)
    width, height = map(float, svg.get("viewBox").split()[2:])
    circles = texts(svg, "circle")
    assert len(circles) == len(points)
    for circle in circles:
        assert 0 < float(circle.get("cx")) < width and 0 < float(circle.get("cy")) < height
    labels = [e for e in texts(svg, "text") if e.get("class") == "label"]
    assert sorted(e.text for e in labels) == sorted(p.name for p in points)
    for label in labels:
        assert float(label.get("x")) + 0.6 * 11 * len(label.text) <= width
        assert 0 < float(label.get("y")) < height
    titles = [e.text for e in texts(svg, "title")]
    assert "a <b> & c: 50 [45, 55] at 5" in titles


def test_higher_is_better_and_to_the_left_is_cheaper():
    svg = drawn([Point("a", 1, 10), Point("b", 1000, 90)])
    first, second = [(float(e.get("cx")), float(e.get("cy"))) for e in texts(svg, "circle")]
    assert first[0] < second[0] and first[1] > second[1]


def test_costs_decades_apart_are_shown_in_decades_and_zero_has_its_place():
    across = axis([0.0, 0.01, 1.0, 100.0], 0, 100, decades=True)
    places = [across.place(x) for x in (0.0, 0.01, 1.0, 100.0)]
    assert places == sorted(places) and places[0] < places[1]
    assert places[2] - places[1] == pytest.approx(places[3] - places[2])
    assert across.ticks()[0] == 0.0 and {0.01, 1.0, 100.0} <= {*across.ticks()}
    near = axis([4.0, 5.0], 0, 100, decades=True)
    assert not near.decades and near.place(4.5) == pytest.approx(50)


@pytest.mark.parametrize("values", [[3.0], [0.0], [0.0, 0.0], [-2.0, -2.0], [1e-9, 1e9]])
def test_an_axis_holds_its_values_whatever_they_are(values):
    for decades in (False, True):
        if decades and min(values) < 0:
            continue
        made = axis(values, 10, 90, decades=decades)
        assert all(10 <= made.place(v) <= 90 for v in values)
        assert all(10 - 1e-6 <= made.place(tick) <= 90 + 1e-6 for tick in made.ticks())


def test_ticks_are_round_and_inside():
    assert line_ticks(28.0, 91.0, 6) == [30, 40, 50, 60, 70, 80, 90]
    assert line_ticks(0.0, 0.21, 4) == [0.0, 0.05, 0.1, 0.15, 0.2]
    assert [short(v) for v in (0.05, 12, 3000, 1_250_000)] == ["0.05", "12", "3k", "1.25M"]


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([], "finite"),
        ([Point("a", math.nan, 1)], "finite"),
        ([Point("a", 1, math.inf)], "finite"),
        ([Point("a", -1, 1)], "-1"),
    ],
)
def test_what_cannot_be_placed_is_refused(points, says):
    with pytest.raises(ValueError, match=says):
        scatter(points, x_label="s", y_label="%")


def test_the_picture_is_the_same_every_time():
    assert scatter(cloud(12), x_label="s", y_label="%") == scatter(
        cloud(12), x_label="s", y_label="%"
    )
