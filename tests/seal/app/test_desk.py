"""Questions of all visitors at the desk: in their own ways, over the same networks."""

from __future__ import annotations

from typing import Any

import pytest

from seal.app.form import Wanted
from seal.app.stage import controls, overlay
from seal.app.walks import Walks
from seal.app.ways import Way
from seal.miniature.world import make_scene
from seal.pipeline.events import Visited
from seal.search.budget import BudgetConfig

# One page is started for all of them, on one worker.
pytestmark = pytest.mark.xdist_group("app")


def test_ways_side_by_side_and_one_walk_find_each_target_in_its_place(served: Any) -> None:
    scene = make_scene(977, 4)
    kinds = tuple(str(thing.kind) for thing in scene.objects[:2])
    budget = BudgetConfig(nodes=12)
    ways = [
        Way("", "guided", budget),
        Way("", "guided", budget, one_walk=True),
        Way("", "sequential_bfs", budget),
    ]
    told: list[list[Any]] = [[] for _ in ways]
    tickets = [
        served.parts.desk.submit(
            Wanted(image=scene.render(), name="", targets=kinds, way=way), heard.append
        )
        for way, heard in zip(ways, told, strict=True)
    ]
    for ticket, heard in zip(tickets, told, strict=True):
        results = ticket.result(120)
        assert [result.target for result in results] == list(kinds)
        assert {event.place for event in heard if isinstance(event, Visited)} == {0, 1}
        assert all(len(result.path) <= 13 for result in results)


def test_a_search_that_finds_nothing_by_name_is_refused_with_the_way_out(served: Any) -> None:
    image = make_scene(977, 4).render()
    wanted = Wanted(image=image, name="", targets=("boat",), way=Way("", "none"))
    with pytest.raises(ValueError, match="ask a question, or choose another search"):
        served.parts.desk.submit(wanted, lambda event: None)


def test_a_name_stays_text_in_what_is_shown() -> None:
    walks = Walks(['<img src=x onerror="alert(1)">', "boat"])
    shown = overlay((64, 48), walks.in_order) + controls(walks.in_order)
    assert "<img" not in shown and "&lt;img" in shown
