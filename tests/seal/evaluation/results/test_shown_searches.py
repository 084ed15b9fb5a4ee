"""Of many searches those are shown that tell most: a good one, a wrong one, one for nothing."""

from __future__ import annotations

import pytest

from seal.evaluation.results.shown_searches import (
    ABSENT,
    BEST,
    FOUND,
    WRONG,
    search_words,
    spread,
    telling_searches,
)

BOX = [10.0, 10.0, 20.0, 20.0]


def line(name, *, found=True, box=BOX, present=True, steps=8, cues=("target",), maps=False):
    heat = {"heat": [[0]]} if maps else {}
    path = [{"depth": 1, "cue_kind": cues[i % len(cues)] if cues else None, **heat}
            for i in range(max(steps, 1))]  # fmt: skip
    return {
        "id": name,
        "strategy": "guided",
        "target": {
            "id": name, "image": f"{name}.jpg", "name": name, "group": "",
            "boxes": [BOX] if present else [],
        },
        "result": {
            "target": name, "strategy": "guided", "found": found, "boxes": [box] if found else [],
            "best_box": box, "num_steps": steps, "path": path, "calls": {}, "stopped_early": None,
        },
    }  # fmt: skip


def test_the_best_shows_its_maps_and_both_cues_over_a_few_regions():
    lines = [
        line("unmapped", cues=("target", "contextual")),
        line("one", maps=True),
        line("both", cues=("target", "contextual"), maps=True),
        line("long", cues=("target", "contextual"), maps=True, steps=60),
        line("wrong", box=[50.0, 50.0, 60.0, 60.0], cues=("target", "contextual"), maps=True),
    ]
    picked = telling_searches(lines, "guided")
    assert picked[BEST]["id"] == "both"
    assert picked[FOUND]["id"] == "long" and picked[WRONG]["id"] == "wrong"
    assert ABSENT not in picked


def test_a_box_for_what_is_not_there_is_no_example_of_an_absent_target():
    lines = [line("there", present=False), line("not", present=False, found=False)]
    assert {kind: one["id"] for kind, one in telling_searches(lines, "guided").items()} == {
        ABSENT: "not"
    }


def test_searches_of_other_strategies_and_failed_ones_are_left_out():
    failed = line("a") | {"result": None}
    other = line("b") | {"strategy": "random"}
    assert telling_searches([failed, other], "guided") == {}


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (line("cup"), "cup: found in 8 regions, and the box is right."),
        (line("cup", steps=1), "found in 1 region, and"),
        (line("cup", box=[50.0, 50.0, 60.0, 60.0]), "a box after 8 regions, elsewhere than it is"),
        (line("cup", present=False), "a box after 8 regions, though there is none"),
        (line("cup", found=False), "not found in 8 regions, though it is there"),
        (line("cup", found=False, present=False), "rightly: there is none"),
    ],
)
def test_what_a_search_did_is_said_in_words(one, says):
    assert says in search_words(one)


def test_kept_searches_take_turns_among_groups():
    groups = ["home"] * 5 + ["away"] * 2 + ["absent"]
    assert spread(groups, 4) == [0, 1, 5, 7]
    assert spread(groups, 0) == [] and spread(groups, 99) == list(range(8))
