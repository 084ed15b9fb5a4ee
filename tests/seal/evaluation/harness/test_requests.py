"""Requests of a harness as questions: what is searched for, what is refused."""

from __future__ import annotations

import pytest

from seal.evaluation.harness.requests import HarnessRequest, read_request

REQUEST = "Answer with the option's letter from the given choices directly."


def user(*parts):
    return [{"role": "user", "content": [*parts]}]


def text(words):
    return {"type": "text", "text": words}


IMAGE = {"type": "image", "url": "a.jpg"}


def test_the_answer_gets_the_whole_text_and_the_search_the_question():
    whole = f"What color is it?\nA. red\nB. blue\n{REQUEST}"
    request = read_request("task t, document 3", user(IMAGE, text(whole)), {"max_new_tokens": 16})
    assert request == HarnessRequest("task t, document 3", "a.jpg", whole, 16)
    question = request.question()
    assert (question.text, question.final_texts) == ("What color is it?", (whole,))
    assert question.max_new_tokens == 16
    assert HarnessRequest("", None, "What is it?").question().final_texts == ()
    assert HarnessRequest("", None, "What is it?", 16).question().final_texts == ("What is it?",)


def test_system_messages_come_before_the_question():
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    assert read_request("", messages, {}).text == "Be brief.\nWhy?"


def test_an_answer_ends_at_the_first_place_where_it_was_to_stop():
    request = read_request("", user(text("Why?")), {"until": ["\n\n", "."]})
    assert request.cut("red. blue\n\ngreen") == "red"
    assert request.cut("red") == "red"
    assert read_request("", user(text("Why?")), {"until": "END"}).cut("a END b") == "a "


@pytest.mark.parametrize(
    "generation",
    [
        {},
        {"temperature": 0, "top_p": 1.0, "num_beams": 1, "do_sample": False, "until": None},
        {"temperature": 0.7, "do_sample": False},
        {"temperature": 0, "do_sample": True},
        {"temperature": None, "do_sample": False, "num_beams": None},
    ],
)
def test_greedy_requests_are_taken(generation):
    assert read_request("", user(text("Why?")), generation).max_new_tokens == 200


@pytest.mark.parametrize(
    ("messages", "generation", "told"),
    [
        (user(IMAGE, IMAGE, text("Why?")), {}, "looks at one picture, not at 2"),
        (user({"type": "video", "url": "a.mp4"}), {}, "pictures and text, not video"),
        (user(IMAGE), {}, "there is no text"),
        ([*user(text("Why?")), {"role": "assistant", "content": "So."}], {}, "not a talk"),
        ([], {}, "not a talk"),
        (user(text("Why?")), {"temperature": 0.7}, "greedily, and the task samples"),
        (user(text("Why?")), {"do_sample": True}, "greedily, and the task samples"),
        (user(text("Why?")), {"num_beams": 5}, "without beams"),
        (user(text("Why?")), {"max_new_tokens": 0}, "max_new_tokens=0 is no number above 0"),
        (user(text("Why?")), {"until": [1]}, "texts at which to stop"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(messages, generation, told):
    with pytest.raises(ValueError, match=f"^task t, document 3: .*{told}"):
        read_request("task t, document 3", messages, generation)
