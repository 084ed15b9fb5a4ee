"""Benchmarks' own requests and readings, letter by letter as their code has them."""

from __future__ import annotations

import pytest

from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.task import TaskQuestion

MUG = TaskQuestion("1", "Which mug?", "a.png", ("the red one", "the blue one", "Neither"), 1)
OWN = (
    "letter_hr_bench", "letter_llava", "letter_llava_cn", "letter_mme_realworld",
    "letter_mme_realworld_cn", "letter_tree_bench", "as_asked_zoom_bench",
)  # fmt: skip


@pytest.mark.parametrize(
    ("scoring", "asked"),
    [
        (
            "letter_hr_bench",
            "Which mug?\nA. the red one\nB. the blue one\nC. Neither\nAnswer the option letter "
            "directly.",
        ),
        (
            "letter_llava",
            "Which mug?\nA. the red one\nB. the blue one\nC. Neither\nAnswer with the option's "
            "letter from the given choices directly.",
        ),
        (
            "letter_mme_realworld",
            "Which mug? The choices are listed below:\n(A) the red one\n(B) the blue one\n(C) "
            "Neither\nSelect the best answer to the above multiple-choice question based on the "
            "image. Respond with only the letter (A, B, C, D, or E) of the correct option. \nThe "
            "best answer is:",
        ),
        (
            "letter_tree_bench",
            "Question: Which mug?\nOptions:\nA. the red one\nB. the blue one\nC. Neither\nAnswer "
            "with the correct option's letter directly. \n",
        ),
        ("as_asked_zoom_bench", "Which mug?"),
    ],
)
def test_a_question_is_put_in_the_words_of_its_benchmark(scoring: str, asked: str) -> None:
    (wording,) = scoring_named(scoring).wordings(MUG, 5)
    assert wording.text == asked and wording.order == (0, 1, 2)


@pytest.mark.parametrize("scoring", OWN)
@pytest.mark.parametrize("letter", ["A", "B", "C"])
@pytest.mark.parametrize("form", ["{}", " {}\n", "{}.", "({})", "Answer: {}"])
def test_a_plain_letter_is_read_by_all(scoring: str, letter: str, form: str) -> None:
    if scoring.startswith(("letter_mme", "letter_tree")) and form == "Answer: {}":
        form = "The best answer is: {}"  # the first capital counts
    choice = scoring_named(scoring).choose(MUG, form.format(letter), (0, 1, 2))
    assert choice.option == "ABC".index(letter)


@pytest.mark.parametrize("scoring", OWN)
@pytest.mark.parametrize("text", ["", " \n", "?", "i do not know"])
def test_what_names_no_option_chooses_none(scoring: str, text: str) -> None:
    choice = scoring_named(scoring).choose(MUG, text, (0, 1, 2))
    assert choice.option is None and choice.invalid


@pytest.mark.parametrize("scoring", OWN)
def test_a_letter_is_that_of_the_place_shown(scoring: str) -> None:
    asked = scoring_named(scoring)
    assert asked.choose(MUG, "A", (2, 0, 1)).option == 2
    assert asked.choose(MUG, "B", ()).option == 1
    assert asked.choose(MUG, "E", (2, 0, 1)).option is None


@pytest.mark.parametrize(
    ("scoring", "text", "option"),
    [
        ("letter_hr_bench", "I think B is right, since it is blue", 1),  # anywhere
        ("letter_hr_bench", "A or B", None),
        ("letter_hr_bench", "It is the blue one", 1),
        ("letter_hr_bench", "the red one or the blue one", None),
        ("letter_hr_bench", "Cannot determine the answer, B", None),
        ("letter_mme_realworld", "The best answer is B", 1),
        ("letter_mme_realworld", "Best option: C", 2),
        ("letter_mme_realworld", "b", 1),
        ("letter_mme_realworld", "It is Clear that it is A", 2),  # the first capital of A to E
        ("letter_mme_realworld", "the blue one", 1),
        ("letter_mme_realworld", "one", None),  # of two options
        ("letter_mme_realworld", "so it may be the blue one, or so i would say", None),  # too long
        ("letter_tree_bench", "<think>A cup</think><answer>b</answer>", 1),
        ("letter_tree_bench", "<answer> (C) </answer> A", 2),
        ("letter_llava", "B. the blue one", 1),
        ("letter_llava", "the blue one", 1),
        ("as_asked_zoom_bench", "Answer A? No. <answer>B</answer>", 1),
        ("as_asked_zoom_bench", "It may be A.\nAnswer: C", 2),
        ("as_asked_zoom_bench", "(A)\n\n\n\nlook again\n(B)", 1),
    ],
)
def test_longer_answers_are_read_as_the_benchmark_reads_them(
    scoring: str, text: str, option: int | None
) -> None:
    assert scoring_named(scoring).choose(MUG, text, (0, 1, 2)).option == option


def test_a_number_is_not_the_longer_one_that_it_is_part_of() -> None:
    options = ("17", "7", "The image does not show the number", "71")
    question = TaskQuestion("1", "How many?", "a.png", options, 1)
    choose = scoring_named("letter_mme_realworld").choose
    assert choose(question, "7", (0, 1, 2, 3)).option == 1
    assert choose(question, "1", (0, 1, 2, 3)).option is None
