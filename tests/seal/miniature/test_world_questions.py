from __future__ import annotations

from collections import Counter

import numpy as np

from seal.miniature.world import BADGE_COLORS, KINDS, REGIONS, home, make_scene
from seal.miniature.world_questions import (
    absence_sentence,
    attribute_question,
    badge_sentence,
    draw_relation,
    place,
    presence_question,
    relation_between,
    scene_caption,
    thing_caption,
    where_question,
)


def test_the_first_option_is_true_and_the_others_are_not():
    rng = np.random.default_rng(0)
    for index in range(30):
        scene = make_scene(0, index)
        for thing in scene.objects:
            asked = attribute_question(thing, rng)
            assert len(set(asked.options)) == len(asked.options) == 4
            assert asked.answer == badge_sentence(str(thing.kind), str(thing.badge))
            assert asked.targets == (thing.kind,)


def test_relations_are_read_off_the_boxes():
    rng = np.random.default_rng(0)
    for index in range(60):
        scene = make_scene(1, index)
        asked = draw_relation(scene, rng)
        first, second = (scene.find(kind).box for kind in asked.targets)
        assert asked.text.index(asked.targets[0]) < asked.text.index(asked.targets[1])
        if "left of" in asked.answer:
            assert first.x0 < second.x0
        elif "right of" in asked.answer:
            assert first.x0 > second.x0
        elif "above" in asked.answer:
            assert first.y0 < second.y0
        else:
            assert "below" in asked.answer and first.y0 > second.y0


def test_objects_level_with_each_other_are_not_asked_about():
    scene = make_scene(1, 0)
    kind = str(scene.objects[0].kind)
    assert relation_between(scene, kind, kind, "x") is None


def test_answers_are_balanced():
    rng = np.random.default_rng(0)
    sides: Counter[str] = Counter()
    colors: Counter[str] = Counter()
    for index in range(400):
        scene = make_scene(2, index)
        answer = draw_relation(scene, rng).answer
        sides[next(s for s in ("left", "right", "above", "below") if s in answer)] += 1
        colors[attribute_question(scene.objects[0], rng).answer.split()[-1]] += 1
    assert max(sides.values()) < 1.6 * min(sides.values())
    assert len(colors) == len(BADGE_COLORS) and max(colors.values()) < 2 * min(colors.values())


def test_where_a_thing_likely_is_depends_on_what_is_shown():
    for kind in KINDS:
        answers = {where_question(kind, make_scene(3, i).shown)[1] for i in range(60)}
        assert len(answers) >= 3
    scene = make_scene(3, 0)
    question, answer = where_question("boat", scene.shown)
    region = home("boat", scene.shown)
    assert "the boat in the image?" in question
    assert answer == f"The boat is most likely to appear {place(str(region))}."


def test_sentences_read_as_sentences():
    assert place("sky") == "in the sky" and place("water") == "on the water"
    assert scene_caption({"water", "sky"}) == "The image shows the sky and the water."
    assert scene_caption({"wall"}) == "The image shows the wall."
    assert absence_sentence("boat") == "There is no boat in the image."
    assert presence_question("sky", False).answer == "No, the image does not show the sky."
    thing = make_scene(4, 0).objects[0]
    assert f"a {thing.color} {thing.kind} with a {thing.badge} badge" in thing_caption(thing)
    assert all(region in scene_caption(set(REGIONS)) for region in REGIONS)
