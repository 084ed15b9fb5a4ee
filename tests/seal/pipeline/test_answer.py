"""What people see of an answer and of a search: words, a notebook's HTML, a picture."""

from __future__ import annotations

import json
import math
import sys
import types

import pytest
from PIL import Image

from seal.geometry import Box
from seal.images import show
from seal.pipeline import Answer
from seal.search import canvas
from seal.search.result import SearchResult
from seal.search.trace import from_dict, to_dict
from seal.search.tree import SearchNode
from seal.working_memory import MemoryTarget, VisualWorkingMemory

SIZE = (320, 240)
MUG = Box(40, 60, 60, 76)


def found(**more):
    node = SearchNode(Box(0, 0, *SIZE), confidence=0.93, best_box=MUG)
    values = dict(
        target="mug", strategy="guided", found=True, boxes=[MUG], scores=[0.93], best_box=MUG,
        best_score=0.93, num_steps=1, path=[node], image_size=SIZE,
    )  # fmt: skip
    return SearchResult(**values | more)


def answer(image=True, **more):
    picture = Image.new("RGB", SIZE, (90, 120, 60)) if image else None
    memory = VisualWorkingMemory("What color is the mug?", picture, (MemoryTarget("mug", (MUG,)),))
    lost = found(target="boat", found=False, boxes=[], scores=[])
    values = dict(
        text="red", first_text="Sorry", options=["blue", "red"], losses=[2.0, 0.5], option=1,
        missing=["mug", "boat"], memory=memory, searches=[found(), lost],
        cost={"visits": 2, "calls": {"detect": 3}, "seconds": {"search": 0.5}},
    )  # fmt: skip
    return Answer(**values | more)


def test_an_answer_is_printed_in_a_few_lines():
    assert str(answer()).splitlines() == [
        "red",
        "options: red 0.82, blue 0.18",
        "missing at first: mug, boat",
        "mug: [40, 60, 60, 76] (0.93) (1 region looked at)",
        "boat: not found (1 region looked at)",
        "cost: 2 regions looked at, 3 calls of the search model, 0.5 s",
    ]


@pytest.mark.parametrize(
    "thing",
    [answer(), answer(text="long " * 1000), found(), answer().memory, found().path[0]],
    ids=lambda thing: type(thing).__name__,
)
def test_what_an_interpreter_shows_is_one_short_line(thing):
    assert len(repr(thing)) < 250 and "\n" not in repr(thing)


def test_a_failed_search_is_told_in_its_line():
    failed = found(found=False, boxes=[], scores=[], error="ValueError: it broke\nTraceback ...")
    assert str(failed) == "mug: the search failed: ValueError: it broke"
    assert str(Answer("", "", searches=[failed])).startswith("no answer: ValueError: it broke")


def test_probabilities_of_the_options_sum_to_one_and_keep_the_order_of_the_losses():
    one = answer(losses=[1.5, 0.5, 700.0], options=["a", "b", "c"])
    assert sum(one.probabilities) == pytest.approx(1)
    assert one.probabilities[1] / one.probabilities[0] == pytest.approx(math.e)
    assert one.probabilities[2] == pytest.approx(0, abs=1e-12)
    assert one.to_dict()["probabilities"] == one.probabilities


def test_an_option_of_which_the_model_tells_nothing_has_no_probability():
    assert answer(losses=[math.inf, 0.2]).probabilities == [0.0, 1.0]
    assert answer(losses=[math.inf, math.inf]).probabilities == []
    assert "probabilities" not in Answer("yes", "yes").to_dict()


def test_a_notebook_shows_words_and_picture_and_escapes_what_a_model_said():
    shown = answer(text="<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown
    assert "data:image/jpeg;base64," in shown and "http" not in shown.replace("http://www.w3", "")
    assert '<img style="max-width:100%' in shown  # no sideways scroll in a narrow notebook
    assert "base64" not in answer(image=False)._repr_html_()
    assert "mug: [40, 60, 60, 76]" in found()._repr_html_()


def test_the_picture_of_an_answer_shows_each_search_below_the_question():
    one = answer()
    both, alone = one.picture(), answer(searches=[found()]).picture()
    assert both.width == alone.width == 1024 and both.height > alone.height
    plain = answer(searches=[]).picture()  # without a search: the image itself
    assert canvas.FOUND in {color for _, color in alone.getcolors(1 << 24)}
    assert canvas.FOUND not in {color for _, color in plain.getcolors(1 << 24)}


def test_a_picture_that_was_not_kept_can_be_given():
    image = Image.new("RGB", SIZE)
    for thing in (answer(image=False), found()):
        with pytest.raises(ValueError, match=r"picture\(image\)"):
            thing.picture()
        assert thing.picture(image).width == 1024
    assert found(image=image).picture().width == 1024


def test_without_a_display_the_picture_is_written_and_its_path_told(monkeypatch, capsys):
    monkeypatch.setattr(show, "_has_display", lambda: False)
    path = answer().show()
    assert Image.open(path).width == 1024
    assert str(path) in capsys.readouterr().err


def test_in_a_notebook_the_picture_is_displayed(monkeypatch):
    shown = []
    shell = types.SimpleNamespace(kernel=object())
    python = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", python)
    display = types.SimpleNamespace(display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    assert answer().show() is None and len(shown) == 1


def test_notes_stand_in_words_and_records():
    one = answer(notes=["mind the gap"], searches=[found(notes=["and this"])])
    assert str(one).endswith("note: mind the gap")
    told = json.loads(json.dumps(one.to_dict()))
    assert told["notes"] == ["mind the gap"]
    assert from_dict(to_dict(one.searches[0])).notes == ["and this"]
