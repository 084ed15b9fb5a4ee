from __future__ import annotations

import pytest

from seal.evaluation.recorded.resolve import Questions
from seal.evaluation.recorded.said import Hints, Said
from seal.evaluation.task import TaskQuestion

COLOURS = ("red", "blue", "red and blue")
QUESTIONS = [
    TaskQuestion("a/1", "Which colour is the mug?", "a/m.jpg", COLOURS, 0),
    TaskQuestion("a/2", "Which colour is the boat?", "a/b.jpg", COLOURS[:2], 1),
    TaskQuestion("3", "Is the boat red?", "a/b.jpg"),
    TaskQuestion("4", "Which?", "t.jpg", ("red", "blue"), 0, meta={"index": 40}),
    TaskQuestion("5", "Which?", "t.jpg", ("blue", "red"), 1, meta={"index": 41}),
]


def resolved(name, **hints):
    said = Said("f:9", name, text="B", hints=Hints(**hints))
    return Questions(QUESTIONS).resolved(said)


@pytest.mark.parametrize("name", ["a/1", "1", "a/m.jpg", "m.jpg", "m", "/data/v/a/m.jpg"])
def test_a_question_is_known_by_its_id_or_the_end_of_a_path(name):
    assert resolved(name).id == "a/1"


@pytest.mark.parametrize("name", ["b/m.jpg", "b/1", "a", "", "a/1/", "12.5", "1.5", "mug"])
def test_nothing_else_is_near_enough(name):
    with pytest.raises(ValueError, match=r"f:9: .* names no question of the benchmark, whose 5"):
        resolved(name)


def test_of_several_questions_about_an_image_the_words_tell_which():
    assert resolved("b.jpg", question="Is the boat red?").id == "3"
    assert resolved("b.jpg", prompt="Look. Is the boat  red? Yes or no.").id == "3"
    with pytest.raises(ValueError, match=r"'b.jpg' may be any of 'a/2', '3': give the question"):
        resolved("b.jpg")


def test_rotations_are_told_by_the_number_in_the_file_or_by_their_order():
    assert resolved("", names=("41",), question="Which?").id == "5"
    assert resolved("", question="Which?", options=("blue", "red")).id == "5"
    assert resolved("", question="Which?", options=("red", "blue")).id == "4"


def test_a_number_counts_where_the_words_agree_else_the_words_do():
    assert resolved("", number=1, prompt="Which colour is the boat?").id == "a/2"
    assert resolved("", number=0, prompt="Which colour is the boat?").id == "a/2"
    assert resolved("", number=1).id == "a/2"
    with pytest.raises(ValueError, match="number 0, from 0, names no question"):
        resolved("", number=0, prompt="Which colour is the sky?")
    with pytest.raises(ValueError, match="number 9, from 0, names no question"):
        resolved("", number=9)


def test_a_name_of_no_question_is_not_replaced_by_its_place_where_other_rows_are_known_by_theirs():
    def row(name, number, question="Which?", **more):
        hints = Hints(names=(name,), number=number, question=question, **more)
        return Said("f:9", "", text="B", hints=hints)

    boat = row("a/2", 1, QUESTIONS[1].text)
    with pytest.raises(ValueError, match="f:9: '42' names no question of the benchmark, as other"):
        Questions(QUESTIONS).all_resolved([boat, row("42", 4, options=("blue", "red"))])


def test_numbers_that_agree_elsewhere_must_agree_everywhere():
    known = Questions(QUESTIONS)
    words = [question.text for question in QUESTIONS[:3]]

    def numbered(numbers):
        said = [
            Said(f"f:{row}", "", text="B", hints=Hints(number=number, question=text))
            for row, (number, text) in enumerate(zip(numbers, words, strict=True))
        ]
        return [one.id for one in known.all_resolved(said)]

    assert numbered((0, 1, 2)) == ["a/1", "a/2", "3"]
    assert numbered((2, 0, 1)) == ["a/1", "a/2", "3"]  # the numbers of another edition
    with pytest.raises(ValueError, match=r"f:1: its number is that of 3, its words .*boat.* are n"):
        numbered((0, 2, 2))


def test_numbers_of_another_edition_do_not_count_where_words_agree_by_chance():
    asked = ["Is it red?", "Is it blue?", "Is it red?", "Is it green?", "Is it old?"]
    known = Questions([TaskQuestion(f"q{i}", text, f"{i}.jpg") for i, text in enumerate(asked)])
    said = [
        Said(f"f:{row}", "", text="yes", hints=Hints(number=row, question=asked[own]))
        for row, own in enumerate((2, 4, 1, 0, 3))  # the first row is q2's, not q0's
    ]
    with pytest.raises(ValueError, match="f:0: its words may be any of 'q0', 'q2'"):
        known.all_resolved(said)


def test_places_tell_questions_of_the_same_words():
    asked = ["Is it red?", "Is it old?", "Is it red?"]
    known = Questions([TaskQuestion(f"q{i}", text, f"{i}.jpg") for i, text in enumerate(asked)])
    said = [
        Said(f"f:{at}", "", text="yes", hints=Hints(number=at, prompt=f"{asked[at]}\nSay it."))
        for at in (2, 0, 1)
    ]
    assert [one.id for one in known.all_resolved(said)] == ["q2", "q0", "q1"]


def test_where_names_tell_the_questions_a_place_tells_none():
    turns = [("red", "blue"), ("blue", "red"), ("blue", "red")]
    known = Questions([TaskQuestion(str(7 + i), "Which?", "a.jpg", o) for i, o in enumerate(turns)])
    said = [
        Said(
            f"f:{name}",
            "",
            text="A",
            hints=Hints(names=(name,), number=int(name), question="Which?"),
        )
        for name in ("7", "9", "1")  # the last is of a question that is gone
    ]
    assert [one.id for one in known.all_resolved(said[:2])] == ["7", "9"]
    with pytest.raises(ValueError, match="f:1: '1' names no question of the benchmark, as other"):
        known.all_resolved(said)


def test_names_of_different_questions_are_refused():
    with pytest.raises(ValueError, match=r"'a/1', 'b.jpg' name different questions"):
        resolved("a/1", names=("b.jpg",), question="Which colour is the boat?")


def test_a_row_with_another_questions_words_is_refused():
    with pytest.raises(ValueError, match=r"question='Is the boat red\?', but a/1 .* asks"):
        resolved("a/1", question="Is the boat red?")
    with pytest.raises(ValueError, match=r"the prompt is that of 3, .*, not of a/1"):
        resolved("a/1", prompt="Is the boat red?\nAnswer yes or no.")
    assert resolved("a/1", prompt="What colour has that mug?").id == "a/1"  # worded otherwise


@pytest.mark.parametrize("mark", ["{}. ", "({}) ", "{}) ", "{}: "])
def test_the_order_shown_is_read_from_lettered_lines(mark):
    shown = ("Red and blue", "blue", "red")
    lines = [mark.format(letter) + text for letter, text in zip("ABC", shown, strict=True)]
    prompt = "\n".join(["Which colour is the mug?", *lines])
    assert resolved("a/1", prompt=prompt).order == (2, 1, 0)
    glued = f"{prompt} Answer with the option's letter."  # as lmms-eval leaves it
    assert resolved("a/1", prompt=glued).order == (2, 1, 0)
    assert resolved("a/1", options=shown).order == (2, 1, 0)


def test_options_that_are_not_the_benchmarks_are_refused():
    with pytest.raises(ValueError, match=r"options in the prompt, .* are not the benchmark's"):
        resolved("a/1", prompt="Which colour is the mug?\nA. red\nB. blue\nC. green")
    with pytest.raises(ValueError, match=r"options .* are not the benchmark's"):
        resolved("a/1", options=("red", "blue"))


def test_places_with_the_true_option_first_are_none_of_shuffled_options():
    assert resolved("a/1", true_first=True).order is None  # the benchmark lists it first too
    assert resolved("a/2", true_first=True, options=("red", "blue")).order == (0, 1)
    with pytest.raises(ValueError, match="f:9: the true option is at place 0 in such a file"):
        resolved("a/2", true_first=True)


def test_an_order_must_be_one():
    said = Said("f:9", "a/2", text="A", order=(1, 1))
    with pytest.raises(ValueError, match=r"f:9: order=\[1, 1\] is no order of 2 options"):
        Questions(QUESTIONS).resolved(said)


@pytest.mark.parametrize(
    ("truth", "options", "right"),
    [
        ("A", (), True), ("B", (), False), ("red", (), True), ("RED ", (), True),
        ("blue", (), False), ("B", ("blue", "red", "red and blue"), True),
        ("A", ("blue", "red", "red and blue"), False),
    ],
)  # fmt: skip
def test_a_repeated_truth_must_be_the_benchmarks(truth, options, right):
    if right:
        assert resolved("a/1", truth=truth, options=options).id == "a/1"
        return
    with pytest.raises(ValueError, match=f"answer='{truth}', but the benchmark's is 'red'"):
        resolved("a/1", truth=truth, options=options)


def test_a_truth_that_is_no_option_is_refused():
    with pytest.raises(ValueError, match="answer='green' is no option of a/1"):
        resolved("a/1", truth="green")
