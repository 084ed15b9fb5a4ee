"""The question that is told is one that a search put right, with what was said before and after."""

from __future__ import annotations

from PIL import Image

from seal.evaluation.results.before_after import before_and_after, put_right
from seal.evaluation.task import TaskQuestion


def line(system, number, chosen, *, steps=8, not_found=()):
    question = TaskQuestion(
        str(number), "What <color>?", f"{number}.jpg", ("red & white", "blue"), 0, "attribute"
    )
    searched = system == "guided"
    answer = {
        "losses": [0.1, 0.9] if chosen == 0 else [0.9, 0.1],
        "first_text": "Sorry: <cup>." if searched else "",
        "memory": [{"name": "cup", "boxes": [[10.0, 10.0, 30.0, 40.0]]}] if searched else [],
        "searches": [{"num_steps": steps}] if searched else [],
        "not_found": list(not_found),
    }
    return {
        "system": system, "scoring": "likelihood", "question": question.to_dict(), "answer": answer,
        "presented": None,
    }  # fmt: skip


LINES = [
    line("none", 0, 0), line("guided", 0, 0),  # was right before
    line("none", 1, 1), line("guided", 1, 0, not_found=["dog"]),
    line("none", 2, 1), line("guided", 2, 0, steps=70),
    line("none", 3, 1), line("guided", 3, 0, steps=6),
    line("none", 4, 1), line("guided", 4, 1),  # stayed wrong
]  # fmt: skip


def test_a_short_search_that_put_an_answer_right_is_chosen():
    before, after = put_right(LINES, "none", "guided")
    assert before["question"]["id"] == after["question"]["id"] == "3"
    assert (before["system"], after["system"]) == ("none", "guided")


def test_the_image_that_is_shown_already_is_not_taken_again():
    _, after = put_right(LINES, "none", "guided", but_of="3.jpg")
    assert after["question"]["id"] == "2"
    assert put_right(LINES[:4], "none", "guided") is None


def test_the_cards_say_what_was_said_and_show_what_was_found():
    told = before_and_after(
        Image.new("RGB", (100, 80), "navy"), *put_right(LINES, "none", "guided")
    )
    assert told.count("data:image/") == 2 and 'alt="the crop of the cup"' in told
    assert "What &lt;color&gt;?" in told and "&ldquo;Sorry: &lt;cup&gt;.&rdquo;" in told
    assert 'blue <b class="bad">wrong</b>' in told
    assert 'red &amp; white <b class="good">right</b>' in told
    assert "The search: 6 regions" in told
