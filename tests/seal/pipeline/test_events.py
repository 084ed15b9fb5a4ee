"""What is told while a question is answered, on fakes."""

from __future__ import annotations

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image

from seal.geometry import Box
from seal.inference.build_locator import build_locator
from seal.pipeline import Seal
from seal.pipeline.events import Planned, Searched, Visited
from seal.search.config import SearchConfig
from seal.search.oracle import always

MUG, BOAT = Box(40, 60, 60, 76), Box(300, 210, 324, 230)
SIDE, SKY = "Is the mug left of the boat?", "Is it day?"


def seal(search="guided", **numbers):
    answers = FakeAnswerModel({SIDE: ["mug", "boat"]}, {SIDE: "yes"})
    finder = FakeSearchModel({"mug": [MUG], "boat": [BOAT]})
    config = SearchConfig(**numbers)
    return Seal(answers, build_locator(search, finder, config, known=always(MUG)))


def picture():
    return Image.new("RGB", (640, 480), (90, 120, 60))


@pytest.mark.parametrize("shared_tree", [False, True])
def test_the_plan_then_each_visit_then_each_end_is_told_and_nothing_else_changes(shared_tree):
    events = []
    one = seal(shared_tree=shared_tree)
    answer = one.ask(picture(), SIDE, on_event=events.append)
    untold = seal(shared_tree=shared_tree).ask(picture(), SIDE)
    assert [r.boxes for r in answer.searches] == [r.boxes for r in untold.searches]
    assert isinstance(events[0], Planned) and events[0].plan.targets == ("mug", "boat")
    for place, result in enumerate(answer.searches):
        visits = [e for e in events if isinstance(e, Visited) and e.place == place]
        assert [e.node for e in visits] == result.path and len(visits) > 1
        assert [e.number for e in visits] == list(range(1, len(visits) + 1))
        assert {e.target for e in visits} == {result.target}
        (ended,) = [e for e in events if isinstance(e, Searched) and e.place == place]
        assert ended.result is result and events.index(ended) > events.index(visits[-1])


def test_a_visit_is_told_while_the_search_goes_on():
    one, calls = seal(), []
    model = one.locator.model
    one.ask(picture(), SIDE, on_event=lambda e: calls.append(len(model.batches)))
    visits = calls[1:-1]
    assert len(set(visits)) > 2  # the model was asked on between them


def test_a_locator_that_does_not_tell_is_told_of_at_its_end():
    events = []
    result = seal("oracle").locate(picture(), "mug", on_event=events.append)
    assert [type(event) for event in events] == [Visited, Searched]
    assert events[1].result is result and events[0].node is result.path[0]


def test_a_question_that_needs_no_search_tells_its_plan_alone():
    events = []
    seal().ask(picture(), SKY, on_event=events.append)
    assert [type(event) for event in events] == [Planned] and events[0].plan.targets == ()


@pytest.mark.parametrize("kind", [Planned, Visited, Searched])
@pytest.mark.parametrize("shared_tree", [False, True])
def test_what_is_raised_when_told_ends_the_question(kind, shared_tree):
    def stop(event):
        if isinstance(event, kind):
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        seal(shared_tree=shared_tree).ask(picture(), SIDE, on_event=stop)
