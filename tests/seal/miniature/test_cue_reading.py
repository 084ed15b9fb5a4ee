"""The measure tells reading the scene from looking a name up."""

from __future__ import annotations

import pytest

from seal.miniature.cue_reading import measure, repainted
from seal.miniature.world import KINDS, home
from seal.miniature.world_questions import place
from seal.search.protocol import Cue


class Answers:
    """A search model whose cue answers are `answer(kind, picture)`."""

    def __init__(self, answer):
        self.answer = answer

    def contextual_cue(self, queries):
        return [Cue(self.answer(q.text, q.patch.image), "", "fake") for q in queries]


def test_a_lookup_by_name_never_changes_and_is_never_right_twice():
    first = Answers(lambda kind, _: f"It is {place(KINDS[kind].homes[0])}.")
    found = measure(first, seed=3, num_scenes=20)
    assert found["changed"].value == 0
    assert found["both"].value == 0
    assert found["lookup"].value == pytest.approx(
        (found["before"].value + found["after"].value) / 2
    )


def test_reading_the_scene_is_right_both_times():
    truth = iter(
        [home(p.kind, p.before.shown) for p in (repainted(3, i) for i in range(20))]
        + [home(p.kind, p.after.shown) for p in (repainted(3, i) for i in range(20))]
    )
    found = measure(Answers(lambda *_: f"It is {place(next(truth))}."), seed=3, num_scenes=20)
    assert found["both"].value == found["changed"].value == 1
    assert found["both"].n == 20


def test_an_answer_without_a_region_is_invalid():
    found = measure(Answers(lambda *_: "Somewhere."), seed=3, num_scenes=5)
    assert found["both"].value == 0
    assert found["both"].invalid == 10


def test_repainting_moves_the_home_and_nothing_else():
    for index in range(30):
        pair = repainted(5, index)
        assert home(pair.kind, pair.before.shown) != home(pair.kind, pair.after.shown)
        boxes = [thing.box for thing in pair.before.objects]
        assert boxes == [thing.box for thing in pair.after.objects]
