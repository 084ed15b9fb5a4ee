"""The fields of the form: what is asked for, or a line that says what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from seal.app.form import ASK, FIND, Wanted, read_form

PICTURE = Image.new("RGB", (64, 48))


def read(**fields: Any) -> Wanted:
    given: dict[str, Any] = {
        "image": PICTURE, "name": "a.png", "mode": ASK, "question": "What color is the mug?",
        "options": "", "targets": "", "one_walk": False, "search": "guided", "nodes": None,
        "seconds": None, "model": "miniature/vqa",
    }  # fmt: skip
    return read_form(**(given | fields))


def test_options_and_targets_are_lines_each_once() -> None:
    wanted = read(options=" red \n\nblue\nred", targets="mug\n the cup \nmug")
    assert wanted.options == ("red", "blue") and wanted.targets == ("mug", "the cup")


def test_finding_asks_no_question_whatever_stands_in_its_field() -> None:
    wanted = read(mode=FIND, targets="mug\ncup", options="a\nb", one_walk=True)
    assert wanted.question == "" and wanted.options == () and wanted.way.one_walk
    assert wanted.title == "Find: mug, cup"


def test_one_thing_needs_no_walk_for_all() -> None:
    assert not read(mode=FIND, targets="mug", one_walk=True).way.one_walk


def test_a_budget_is_what_its_fields_say() -> None:
    budget = read(nodes=12, seconds=2.5).way.budget
    assert budget is not None and budget.limits == {"nodes": 12, "seconds": 2.5}
    assert read(nodes=0, seconds="").way.budget is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"image": None}, "no picture yet"),
        ({"question": "  "}, "question is empty"),
        ({"question": None}, "question is empty"),
        ({"question": ["a"]}, "must be text"),
        ({"question": "x" * 5000}, "5,000 characters"),
        ({"mode": FIND, "targets": " \n "}, "Nothing to find"),
        ({"mode": FIND, "targets": "the"}, "the"),
        ({"targets": "\n".join(f"thing {i}" for i in range(20))}, "too many"),
        ({"nodes": -1}, "above 0"),
        ({"seconds": "soon"}, "number"),
        ({"seconds": float("nan")}, "above 0"),
    ],
)
def test_what_is_wrong_is_told(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read(**fields)
