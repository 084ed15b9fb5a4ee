"""A benchmark's own files are not taken for a perfect, or a strange, system."""

from __future__ import annotations

import json

import pytest

from seal.evaluation.score import ScoreRun, run_score
from seal.evaluation.scorings.words import SHORT

ROWS = [
    {"id": f"k{i}", "question": f"What is {i}?", "answer": word}
    for i, word in enumerate(("mug", "cup", "hat"))
]


def score(tmp_path, rows):
    benchmark, answers = tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    for path, content in ((benchmark, ROWS), (answers, rows)):
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    run = ScoreRun(
        task="own", answers=str(answers), annotations=str(benchmark), out=str(tmp_path / "out")
    )
    return run_score(run)["systems"]["answers"]["overall"]["accuracy"]["value"]


def test_questions_with_their_right_answers_are_no_answers(tmp_path):
    with pytest.raises(ValueError, match=r"answers\.jsonl has questions with the right answer"):
        score(tmp_path, ROWS)
    assert score(tmp_path, [*ROWS[:2], ROWS[2] | {"answer": "cap"}]) == pytest.approx(2 / 3)
    perfect = [{"id": row["id"], "prediction": row["answer"]} for row in ROWS]
    assert score(tmp_path, perfect) == 1


def test_questions_alone_are_no_answers(tmp_path):
    asked = [{"id": row["id"], "text": f"{row['question']}\n{SHORT}"} for row in ROWS]
    with pytest.raises(ValueError, match=r"answers\.jsonl says the question itself in every row"):
        score(tmp_path, asked)
    assert score(tmp_path, [*asked[:2], {"id": "k2", "text": "hat"}]) == pytest.approx(1 / 3)
    repeated = [row | {"text": f"{row['text']} mug"} for row in asked]
    assert score(tmp_path, repeated) == 0
