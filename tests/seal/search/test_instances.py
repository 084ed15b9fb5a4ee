"""Things seen in several regions, whole or cut by their borders, come out once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seal.geometry import Box
from seal.search.instances import merge, never_whole, seen_in, window

SIZE = (800, 800)
WHOLE = Box(0, 0, 800, 800)
A, B, C, D = Box(0, 0, 400, 400), Box(400, 0, 800, 400), Box(0, 400, 400, 800), Box(
    400, 400, 800, 800
)  # fmt: skip


def see(region, box, score=0.9):
    return seen_in(region, box, score, 0, SIZE, 0.02)


def boxes(*seen):
    return [one.box for one in merge(seen, nms_iou=0.5, contained=0.8)]


def test_only_borders_inside_the_image_cut():
    assert see(WHOLE, Box(0, 0, 800, 800)).cut_at == {}
    assert see(A, Box(0, 3, 100, 100)).cut_at == {}
    assert see(A, Box(300, 300, 393, 391)).cut_at == {"right": 400}  # 8 pixels are 2%
    assert see(D, Box(401, 401, 500, 795)).cut_at == {"left": 400, "top": 400}


def test_what_a_region_says_of_beyond_itself_is_not_believed():
    assert see(A, Box(300, 100, 450, 200)).box == Box(300, 100, 400, 200)
    assert boxes(see(A, Box(500, 500, 600, 600))) == []


def test_one_thing_at_two_scales_is_the_surer_box():
    rough, fine = Box(100, 100, 200, 200), Box(105, 104, 202, 203)
    assert boxes(see(WHOLE, rough, 0.6), see(A, fine, 0.8)) == [fine]
    assert boxes(see(WHOLE, rough, 0.8), see(A, fine, 0.6)) == [rough]


def test_things_side_by_side_are_two():
    one, other = Box(100, 100, 150, 150), Box(140, 100, 190, 150)
    assert boxes(see(WHOLE, one, 0.7), see(WHOLE, other, 0.8)) == [other, one]


def test_a_part_of_a_thing_is_no_thing():
    thing, part = Box(100, 100, 200, 200), Box(110, 110, 150, 150)
    assert boxes(see(A, thing, 0.8), see(A, part, 0.7)) == [thing]
    assert boxes(see(A, thing, 0.7), see(A, part, 0.8)) == [part]  # the surer of the two


def test_a_thing_seen_whole_goes_before_its_surer_pieces():
    thing = Box(350, 100, 450, 200)
    seen = [see(A, Box(350, 100, 400, 200), 0.95), see(B, Box(400, 100, 450, 200), 0.9)]
    assert boxes(*seen, see(WHOLE, thing, 0.6)) == [thing]


def test_pieces_that_face_each_other_are_one_thing_with_the_score_of_the_surest():
    seen = [see(A, Box(350, 100, 400, 200), 0.7), see(B, Box(400, 110, 450, 190), 0.8)]
    (thing,) = merge(seen, nms_iou=0.5, contained=0.8)
    assert (thing.box, thing.score) == (Box(350, 100, 450, 200), 0.8)


def test_a_thing_on_the_corner_of_four_regions_is_one():
    corner = Box(380, 380, 430, 430)
    assert boxes(*(see(region, corner) for region in (A, B, C, D))) == [corner]
    # Smaller regions inside cut off the same piece, or less of it.
    assert boxes(
        *(see(region, corner) for region in (A, B, C, D)),
        see(Box(200, 200, 400, 400), corner),
        see(Box(400, 400, 600, 600), corner),
    ) == [corner]


def test_pieces_that_do_not_face_each_other_are_things_of_their_own():
    one, other = Box(350, 100, 400, 150), Box(400, 300, 450, 350)
    assert boxes(see(A, one, 0.9), see(B, other, 0.8)) == [one, other]
    # One of each side of the corner, which share no border.
    across = [see(A, Box(350, 350, 400, 400), 0.9), see(D, Box(400, 400, 450, 450), 0.8)]
    assert len(boxes(*across)) == 2


def test_what_no_region_shows_whole_has_a_window_of_its_own():
    piece = see(A, Box(380, 100, 400, 140))
    whole = see(A, Box(100, 100, 140, 140))
    assert [one.box for one in never_whole([piece, whole], nms_iou=0.5, contained=0.8)] == [
        piece.box
    ]
    assert window(piece, A, SIZE) == Box(190, 0, 590, 400)  # as far up as the image goes
    high = see(A, Box(390, 100, 400, 400))
    assert window(high, A, SIZE) == Box(195, 0, 595, 600)  # twice what is seen of it
    assert window(see(D, Box(400, 400, 800, 800)), D, (800, 700)) == Box(0, 0, 800, 700)


SPOTS = st.tuples(st.integers(0, 3), st.integers(0, 3))


@given(st.sets(SPOTS), st.randoms())
def test_things_apart_are_counted_whatever_regions_show_them_in_whatever_order(spots, random):
    """Of 60 pixels, 200 apart: the middle ones lie on the borders of the quarters."""
    things = [Box(70 + 200 * x, 70 + 200 * y, 130 + 200 * x, 130 + 200 * y) for x, y in spots]
    regions = [Box(x, y, x + 300, y + 300) for x in (0, 300) for y in (0, 300)]
    size = (900, 900)
    seen = [
        seen_in(region, thing, 0.6 + 0.3 * random.random(), 0, size, 0.02)
        for region in [Box(0, 0, 900, 900), *regions]
        for thing in things
        if thing.x0 < region.x1 and thing.x1 > region.x0
        and thing.y0 < region.y1 and thing.y1 > region.y0
    ]  # fmt: skip
    random.shuffle(seen)
    found = merge(seen, nms_iou=0.5, contained=0.8)
    assert {one.box for one in found} == set(things)
    assert len(found) == len(things)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
