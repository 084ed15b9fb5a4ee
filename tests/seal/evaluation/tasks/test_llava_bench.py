from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seal.evaluation.judged import Judged
from seal.evaluation.score import ScoreRun, run_score
from seal.evaluation.sources.rows import ListedRows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.llava_bench import SPEC, metrics, read, read_rows
from seal.evaluation.tasks.llava_reviews import read_reviews

QUESTIONS = [
    (0, "001.jpg", "conv", "What is this?", "A red mug."),
    (1, "001.jpg", "detail", "Describe it.", "A red mug stands on a desk."),
    (2, "002.jpg", "complex", "Why is it wet?", "It rained in the night."),
]
CAPTIONS = {"001.jpg": ["A red mug.", "It stands on a desk."], "002.jpg": ["A wet street."]}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def bench(folder: Path) -> Path:
    write(
        folder / "questions.jsonl",
        [
            {"question_id": n, "image": image, "category": category, "text": text}
            for n, image, category, text, _ in QUESTIONS
        ],
    )
    write(
        folder / "context.jsonl",
        [{"image": image, "caption": caption} for image, caption in CAPTIONS.items()],
    )
    # Its lines need not be in the order of the questions.
    write(
        folder / "answers_gpt4.jsonl",
        [{"question_id": n, "text": text, "model_id": "m"} for n, *_, text in QUESTIONS[::-1]],
    )
    return folder


def review(number: int, category: str, pair: list[float]) -> dict[str, Any]:
    return {
        "id": number + 1, "question_id": number, "category": f"llava_bench_{category}",
        "content": "8 10\nBoth are good.", "tuple": pair,
    }  # fmt: skip


def judged(questions: list[TaskQuestion], grades: list[Any]) -> list[Judged]:
    """grades: pairs of scores, None for no grade, "" for no answer."""
    lines = [
        {"answer": {"text": ""}}
        if grade == ""
        else {"answer": {"text": "said"}, "grade": {"score": grade}}
        for grade in grades
    ]
    return [Judged(q, line, SPEC.judge(q, line)) for q, line in zip(questions, lines, strict=True)]


def test_questions_come_with_the_description_and_the_reference_of_their_own(tmp_path):
    questions, _ = read(bench(tmp_path))
    assert [(q.id, q.split, q.image, q.labels) for q in questions] == [
        ("0", "conv", "001.jpg", ("A red mug.",)),
        ("1", "detail", "001.jpg", ("A red mug stands on a desk.",)),
        ("2", "complex", "002.jpg", ("It rained in the night.",)),
    ]
    assert questions[0].meta["context"] == CAPTIONS["001.jpg"]


def test_the_rows_of_the_hub_say_the_same(tmp_path):
    questions, _ = read(bench(tmp_path))
    rows = [
        {
            "question_id": n, "image": {"bytes": image.encode(), "path": image},
            "category": category, "question": text, "gpt_answer": answer,
            "caption": CAPTIONS[image][0] if image == "002.jpg" else CAPTIONS[image],
        }
        for n, image, category, text, answer in QUESTIONS
    ]  # fmt: skip
    found, images = read_rows(ListedRows("hub", rows, [f": row {i}" for i in range(3)]))
    assert [(q.id, q.text, q.split, q.labels, q.meta) for q in found] == [
        (q.id, q.text, q.split, q.labels, q.meta) for q in questions
    ]
    # Both questions of one picture know it by one name: intervals resample pictures.
    assert [q.image for q in found] == ["0", "0", "2"]
    assert images.has("2") and images.digest("0") != images.digest("2")
    with pytest.raises(ValueError, match=r"hub: row 1: question_id=.*hub: row 0 has it"):
        read_rows(ListedRows("hub", rows[:1] * 2, [": row 0", ": row 1"]))


def test_the_score_is_the_answers_grades_over_the_references(tmp_path):
    questions, _ = read(bench(tmp_path))
    splits = metrics(judged(questions, [[8, 10], [9, 6.5], [8, 2]]), 0)
    assert list(splits) == ["conv", "detail", "complex", "overall"]
    values = {name: of["relative"]["value"] for name, of in splits.items()}
    assert values == {
        "conv": 1.25, "detail": 6.5 / 9, "complex": 0.25, "overall": 18.5 / 25,
    }  # fmt: skip
    assert (
        splits["overall"]["relative"]["n"] == 3 and splits["overall"]["official"]["value"] == 0.74
    )
    # Both questions of the first picture are drawn together.
    assert splits["overall"]["relative"]["low"] == 0.25
    assert splits["overall"]["relative"]["high"] == pytest.approx(16.5 / 17)
    assert splits["overall"]["answer_grade"]["value"] == pytest.approx(18.5 / 3)


def test_official_rounds_both_means_before_it_divides():
    question = TaskQuestion(id="0", text="", split="detail")
    pairs = [[8.8, 4.6]] * 14 + [[8.8, 5.1]]  # means of 8.8 and 4.6333..., which becomes 4.633
    overall = metrics(judged([question] * 15, pairs), 0)["overall"]
    assert overall["official"]["value"] == 0.526
    assert overall["relative"]["value"] == pytest.approx(0.5265151515)  # which would be 52.7


def test_no_grade_is_in_no_number_and_no_answer_earns_nothing(tmp_path):
    questions, _ = read(bench(tmp_path))
    whole = judged(questions, [[8, 4], None, ""])
    assert [one.score["credit"] for one in whole] == [0.4, None, 0.0]
    overall = metrics(whole, 0)["overall"]
    assert overall["ungraded"] == 1
    # One answer of half the reference's grade, and one that is not there: a quarter.
    assert overall["relative"]["value"] == 0.25
    assert (overall["relative"]["n"], overall["relative"]["invalid"]) == (2, 1)
    assert overall["official"]["value"] is None
    nobody = metrics(judged(questions, [None, None, ""]), 0)["overall"]
    assert nobody["relative"]["value"] is None and nobody["ungraded"] == 2


def test_no_ratio_is_of_references_without_a_grade_above_0():
    questions = [TaskQuestion(str(number), "", split="conv") for number in range(2)]
    found = metrics(judged(questions, [[0, 0], [0, 5]]), 0)["overall"]
    assert found["relative"]["value"] is None and found["official"]["value"] is None
    assert found["answer_grade"]["value"] == 2.5


def test_reviews_need_no_benchmark(tmp_path):
    rows = [
        review(0, "conv", [8, 10]),
        review(1, "detail", [9, 6.5]),
        review(2, "complex", [-1, -1]),
    ]
    found = read_reviews(write(tmp_path / "r.jsonl", rows), None)
    assert found is not None
    questions, said = found
    assert [(q.id, q.split) for q in questions] == [
        ("0", "conv"),
        ("1", "detail"),
        ("2", "complex"),
    ]
    grades = [one.more["grade"]["score"] for one in said]
    assert grades == [[8.0, 10.0], [9.0, 6.5], None]
    assert said[0].more["grade"]["said"].startswith("8 10")
    overall = metrics(judged(questions, grades), 0)["overall"]
    # The official summary would count the last as -1 of both.
    assert overall["ungraded"] == 1 and overall["relative"]["value"] == 16.5 / 17
    known, _ = read(bench(tmp_path))
    again = read_reviews(tmp_path / "r.jsonl", known)
    assert again is not None and again[0] == known


def test_other_answers_are_no_reviews(tmp_path):
    answers = write(tmp_path / "a.jsonl", [{"question_id": 0, "text": "A mug.", "prompt": "?"}])
    assert read_reviews(answers, None) is None
    assert read_reviews(tmp_path, None) is None


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (review(1, "conv", [11, 5]), r"tuple=\[11, 5\]: expected two numbers from 1 to 10"),
        (review(1, "conv", [-1, 5]), "expected two numbers"),
        (review(1, "conv", [5]), "expected two numbers"),
        (review(1, "conv", [True, 5]), "expected two numbers"),
        (review(1, "conv", [float("nan"), 5]), "expected two numbers"),
        (review(1, "poetry", [5, 5]), 'category="poetry": expected one of conv, detail, complex'),
        (review(0, "conv", [8, 10]), 'question_id="0": expected an id of its own'),
        ({"question_id": 1, "category": "llava_bench_conv"}, "lacks tuple"),
        ({"question_id": [1], "category": "x", "tuple": [5, 5]}, "question_id="),
    ],
)
def test_a_review_that_is_none_names_its_line(tmp_path, row, problem):
    path = write(tmp_path / "r.jsonl", [review(0, "conv", [8, 10]), row])
    with pytest.raises(ValueError, match=problem) as caught:
        read_reviews(path, None)
    assert str(caught.value).startswith(f"{path}:2")


@pytest.mark.parametrize(
    ("file", "rows", "problem"),
    [
        ("context.jsonl", [{"image": "001.jpg", "caption": "A mug."}], "questions.jsonl:3: image="),
        (
            "answers_gpt4.jsonl",
            [{"question_id": 0, "text": "x"}],
            "questions.jsonl:2: question_id=",
        ),
        (
            "answers_gpt4.jsonl",
            [{"question_id": n, "text": "x"} for n in (0, 1, 2, 1)],
            "answers_gpt4.jsonl:4: question_id=",
        ),
        (
            "questions.jsonl",
            [{"question_id": 0, "image": "001.jpg", "category": "conv", "text": "?"}] * 2,
            "questions.jsonl:2: question_id=",
        ),
        (
            "questions.jsonl",
            [{"question_id": 0, "image": "001.jpg", "category": "poem", "text": "?"}],
            "questions.jsonl:1: category=",
        ),
        ("questions.jsonl", [{"question_id": 0}], "lacks the column image, text, category"),
        (
            "questions.jsonl",
            [
                {"question_id": 0, "image": "001.jpg", "category": "conv", "text": "?"},
                {"question_id": 1, "category": "conv", "text": "?"},
            ],
            "questions.jsonl:2: image=null: expected a text",
        ),
    ],
)
def test_files_that_do_not_fit_each_other_name_the_line(tmp_path, file, rows, problem):
    write(bench(tmp_path) / file, rows)
    with pytest.raises(ValueError, match=problem):
        read(tmp_path)


@pytest.mark.parametrize("score", [[11, 5], [5, 11], [5], 5, "55", [5, "5"], [5, float("nan")]])
def test_a_stored_grade_that_is_none_is_told_and_not_counted(score):
    question = TaskQuestion(id="7", text="?", split="conv")
    line = {"id": "7", "answer": {"text": "x"}, "grade": {"score": score}}
    with pytest.raises(ValueError, match=r"7: grade\.score="):
        SPEC.judge(question, line)


def test_reviews_are_scored_by_eval_score_and_name_who_graded(tmp_path):
    rows = [
        review(0, "conv", [8, 10]),
        review(1, "detail", [9, 6.5]),
        review(2, "complex", [-1, -1]),
    ]
    run = ScoreRun(
        task="llava_bench",
        answers=str(write(tmp_path / "r.jsonl", rows)),
        out=str(tmp_path / "out"),
        name="other",
    )
    metrics = run_score(run)
    overall = metrics["systems"]["other"]["overall"]
    assert overall["relative"]["value"] == 16.5 / 17 and overall["ungraded"] == 1
    assert metrics["judge"] == {
        "model": "not told", "prompt": "llava_bench/official", "graded": 2, "ungraded": 1,
    }  # fmt: skip
