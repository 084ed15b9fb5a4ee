"""MMMU: rows of the hub with options or open answers; several pictures are not asked about."""

from __future__ import annotations

import pytest
from option_lines import picture, written_line

from seal.evaluation.named_tasks import task_named
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.sources.rows import ListedRows

SPEC = task_named("mmmu")
SCORING = SPEC.scorings[0]


def row(number=1, **more):
    return {
        "id": f"validation_Art_Theory_{number}", "question": "Who painted <image 1>?",
        "options": "['Monet', 'Manet', 'Klee']", "answer": "B", "question_type": "multiple-choice",
        "image_1": picture(size=(8, 6)), "image_2": None, "subfield": "Painting",
        "topic_difficulty": "Easy", "img_type": "['Paintings']", "explanation": "", **more,
    }  # fmt: skip


def opened(number=2, answer="['7.5', 'seven and a half']"):
    return row(number, options="[]", answer=answer, question_type="open", question="How many?")


def read(*rows):
    places = [f", row {i}" for i in range(len(rows))]
    return SPEC.read_rows(ListedRows("rows", list(rows), places))


def test_rows_with_one_picture_are_asked_by_subject():
    several = row(3, question="Compare <image 1> with <image 2>.", image_2=picture())
    by_option = row(
        4, question="Which?", options="['<image 2>', 'none']", answer="A",
        image_2=picture(size=(5, 2)),
    )  # fmt: skip
    questions, images = read(row(), opened(), several, by_option)
    assert [q.id.rpartition("_")[2] for q in questions] == ["1", "2", "4"]
    assert {q.split for q in questions} == {"Art_Theory"}
    first, second, _ = questions
    assert (first.options, first.answer) == (("Monet", "Manet", "Klee"), 1)
    assert (second.options, second.labels) == ((), ("7.5", "seven and a half"))
    assert [images.open(q.image).size for q in questions] == [(8, 6), (8, 6), (5, 2)]


def test_options_are_put_with_letters_and_open_questions_for_a_few_words():
    questions, _ = read(row(), opened())
    put = [scoring_named(SCORING).wordings(q, 0)[0].text for q in questions]
    assert put[0].startswith("Who painted <image 1>?\nA. Monet\nB. Manet\nC. Klee\nAnswer with the")
    assert put[1] == "How many?\nAnswer the question using a single word or phrase."


@pytest.mark.parametrize(
    ("said", "credits", "invalid"),
    [(("B", "7.50"), (1, 1), 0), (("A", "It is seven and a half"), (0, 1), 0),
     (("hm", "8"), (0, 0), 1), (("B", ""), (1, 0), 1), ((None, None), (0, 0), 2)],
)  # fmt: skip
def test_letters_and_words_are_judged_by_their_kind(said, credits, invalid):
    questions, _ = read(row(), opened())
    lines = [written_line(q, one, SCORING) for q, one in zip(questions, said, strict=True)]
    found = SPEC.task("").metrics(lines)["overall"]["accuracy"]
    assert (found["value"], found["invalid"]) == (sum(credits) / 2, invalid)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"options": "['Monet'"}, "options=.*a list of texts"),
        ({"options": "['Monet']"}, "options=.*2 to 26 options"),
        ({"answer": "D"}, 'answer="D": expected the letter of an option, A to C'),
        ({"answer": "?"}, "answer="),
        ({"question_type": "essay"}, 'question_type="essay"'),
        ({"id": "1"}, 'id="1": expected PART_SUBJECT_NUMBER'),
        ({"question": "<image 7>?"}, "question=.*a picture in column image_7"),
    ],
)
def test_a_row_that_is_wrong_is_named(change, says):
    with pytest.raises(ValueError, match=rf"rows, row 1: {says}"):
        read(row(5), row(**change))


def test_rows_about_several_pictures_alone_are_refused():
    with pytest.raises(ValueError, match="no question about one picture alone"):
        read(row(question="<image 1> or <image 2>?"))
