"""Scenes from near and afar: what they hold, and that nothing of the old world has moved."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest

from seal.miniature.distances import DISTANCES, PICTURES, REGION, draw_questions, draw_scene
from seal.miniature.world import BADGE_COLORS, BADGE_PIXELS, badge_box, make_scene


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(7, index) for index in range(60)]


def test_scenes_of_before_are_byte_for_byte_what_they_were():
    digest = hashlib.sha256(make_scene(3, 5).render().tobytes())
    digest.update(
        make_scene(3, 6, (384, 384), num_objects=(4, 5), num_distractors=4).render().tobytes()
    )
    assert digest.hexdigest() == "c63f8df1329beb8a4cce1bfef029f1519d6ceab58e4498687640123a63be7e37"


def test_a_scene_depends_on_its_world_and_number(scenes):
    again = draw_scene(7, 11)
    assert again == scenes[11] != draw_scene(8, 11)


def test_every_distance_and_shape_occurs_and_fills_whole_tiles(scenes):
    assert {name for name, _ in scenes} == set(DISTANCES)
    assert {(scene.width, scene.height) for _, scene in scenes} == set(PICTURES)


def test_things_are_larger_the_nearer_they_are(scenes):
    sizes = {
        name: [
            max(t.box.width, t.box.height)
            for n, scene in scenes
            if n == name
            for t in scene.objects
        ]
        for name in DISTANCES
    }
    assert min(sizes["near"]) > max(sizes["midway"])
    assert min(sizes["midway"]) > max(sizes["far"])


def test_badges_grow_with_their_things_and_are_drawn_on_them(scenes):
    for name, scene in scenes[:20]:
        pixels = np.asarray(scene.render())
        for thing in scene.objects:
            box = badge_box(thing)
            assert box.width == box.height == round(BADGE_PIXELS * DISTANCES[name].scale)
            x0, y0, x1, y1 = box.as_ints()
            assert (pixels[y0:y1, x0:x1] == BADGE_COLORS[str(thing.badge)]).all()


def test_one_question_is_about_a_region_and_one_about_the_object(scenes):
    truths = Counter()
    for index, (_, scene) in enumerate(scenes):
        drawn = draw_questions(scene, np.random.default_rng(index))
        (region,) = [asked for asked, thing in drawn if thing is None]
        ((asked, thing),) = [(asked, thing) for asked, thing in drawn if thing is not None]
        named = next((name for name in scene.shown if name in region.text), None)
        assert (named is not None) == region.answer.startswith("Yes")
        truths[region.answer[:2]] += 1
        assert (thing,) == scene.objects
        assert asked.answer == f"The badge of the {thing.kind} is {thing.badge}."
    assert min(truths.values()) > 15
    assert REGION not in DISTANCES


def test_the_farther_the_more_badges_of_others_stand_around(scenes):
    badges = {
        name: [sum(d.badge is not None for d in s.distractors) for n, s in scenes if n == name]
        for name in DISTANCES
    }
    assert max(badges["near"]) <= min(badges["midway"]) == 1
    assert max(badges["midway"]) < min(badges["far"])
