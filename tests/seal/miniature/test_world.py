from __future__ import annotations

import numpy as np
import pytest

from seal.miniature.world import (
    AT_HOME,
    BADGE_PIXELS,
    BODY_COLORS,
    KINDS,
    REGIONS,
    SIZES,
    badge_box,
    home,
    make_scene,
)

GLOBAL_VIEW = 112  # pixels of the miniature's CLIP tower


def test_a_scene_depends_on_seed_and_index_alone():
    first = make_scene(3, 7)
    make_scene(3, 8)
    assert make_scene(3, 7) == first
    assert np.array_equal(np.asarray(make_scene(3, 7).render()), np.asarray(first.render()))
    assert make_scene(3, 8) != first != make_scene(4, 7)


@pytest.mark.parametrize("size", SIZES)
def test_regions_tile_the_scene_and_hold_their_things(size):
    for index in range(20):
        scene = make_scene(0, index, size)
        assert sum(region.box.area for region in scene.regions) == size[0] * size[1]
        assert scene.render().size == size
        boxes = {region.name: region.box for region in scene.regions}
        things = scene.objects + scene.distractors
        for i, thing in enumerate(things):
            inside = boxes[thing.region]
            assert inside.x0 < thing.box.x0 and thing.box.x1 < inside.x1
            assert inside.y0 < thing.box.y0 and thing.box.y1 < inside.y1
            assert all(thing.box.iou(other.box) == 0 for other in things[:i])


def test_every_kind_has_a_home_in_every_scene_and_it_is_the_first_one_shown():
    for index in range(100):
        scene = make_scene(1, index)
        for kind in KINDS.values():
            where = home(kind.name, scene.shown)
            assert where is not None
            better = kind.homes[: kind.homes.index(where)]
            assert not scene.shown.intersection(better)


def test_the_name_alone_does_not_tell_the_home():
    for kind in KINDS:
        homes = [home(kind, make_scene(2, index).shown) for index in range(300)]
        most_common = max(homes.count(region) for region in REGIONS) / len(homes)
        assert most_common < 0.8


def test_objects_are_at_home_as_often_as_said_and_not_in_shuffled_scenes():
    def share(homes: str) -> float:
        objects = [o for i in range(200) for o in make_scene(4, i, homes=homes).objects]
        return sum(o.at_home for o in objects) / len(objects)

    assert share("habitual") == pytest.approx(AT_HOME, abs=0.03)
    assert share("shuffled") < 0.4
    with pytest.raises(ValueError, match="homes='random'"):
        make_scene(0, 0, homes="random")


def test_repainting_the_home_changes_where_a_kind_belongs_and_nothing_else():
    scene, kind, new = next(
        (scene, str(kind), region)
        for scene in (make_scene(5, index) for index in range(50))
        for kind in [thing.kind for thing in scene.objects]
        for region in set(REGIONS) - scene.shown - set(KINDS[str(kind)].homes)
    )
    old = home(kind, scene.shown)
    assert old is not None
    repainted = scene.repaint(old, new)
    assert home(kind, repainted.shown) not in (old, new)
    assert [t.box for t in repainted.objects] == [t.box for t in scene.objects]
    changed = np.asarray(repainted.render()) != np.asarray(scene.render())
    x0, y0, x1, y1 = next(r.box for r in scene.regions if r.name == old).as_ints()
    changed[y0:y1, x0:x1] = False
    assert not changed.any()
    with pytest.raises(ValueError, match="cannot repaint"):
        scene.repaint(new, old)


def test_a_badge_is_under_one_pixel_of_the_global_view():
    assert BADGE_PIXELS * GLOBAL_VIEW / min(max(size) for size in SIZES) < 1


def test_badges_lie_on_their_object():
    for index in range(30):
        scene = make_scene(6, index)
        pixels = np.asarray(scene.render())
        for thing in scene.objects:
            badge = badge_box(thing)
            assert thing.box.x0 <= badge.x0 and badge.x1 <= thing.box.x1
            assert thing.box.y0 <= badge.y0 and badge.y1 <= thing.box.y1
            x0, y0, x1, y1 = thing.box.as_ints()
            for tone in BODY_COLORS[thing.color]:
                assert (pixels[y0:y1, x0:x1] == tone).all(-1).sum() > 20


def test_two_kinds_share_each_color_but_not_their_first_home():
    for color in BODY_COLORS:
        pair = [kind for kind in KINDS.values() if kind.color == color]
        assert len(pair) == 2
        assert pair[0].homes[0] != pair[1].homes[0] and pair[0].shape != pair[1].shape
        assert pair[0].split != pair[1].split


def test_distractors_come_in_every_body_color_and_half_wear_a_badge():
    things = [t for i in range(20) for t in make_scene(7, i).distractors]
    assert {t.color for t in things} == set(BODY_COLORS)
    assert sum(t.badge is not None for t in things) * 2 == len(things)
    assert all(t.kind is None for t in things)
