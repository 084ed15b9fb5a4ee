"""Files of benchmarks with options that were damaged: named, or read as they stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from option_lines import picture, table

from seal.evaluation.named_tasks import task_named
from seal.evaluation.task import TaskQuestion

OPTIONS = ["left", "right", "up", "none of these"]


def hr_bench(path: Path) -> Path:
    columns = [
        "index",
        "question",
        "A",
        "B",
        "C",
        "D",
        "answer",
        "category",
        "cycle_category",
        "image",
    ]
    rows = [[i, f"Which {i // 4}?", *OPTIONS[i % 4 :], *OPTIONS[: i % 4], "DCBA"[i % 4], "cross",
             i % 4, picture()] for i in range(8)]  # fmt: skip
    return table(path / "hr.tsv", columns, rows)


def mmbench(path: Path) -> Path:
    rows = [[i + 1_000_000 * k, "Which \"one\"\nof them?", *OPTIONS, "A", "kind", picture()]
            for i in (1, 2) for k in range(2)]  # fmt: skip
    columns = ["index", "question", *"ABCD", "answer", "category", "image"]
    return table(path / "MMBench.tsv", columns, rows)


def tree_bench(path: Path) -> Path:
    rows = [[i, picture(), "Which?", *OPTIONS, "B", "Perception/OCR", "[[1, 2, 3, 4]]"]
            for i in range(3)]  # fmt: skip
    columns = ["index", "image", "question", *"ABCD", "answer", "category", "target_instances"]
    return table(path / "TreeBench.tsv", columns, rows)


def mme_realworld(path: Path) -> Path:
    choices = [f"({letter}) {option}" for letter, option in zip("ABCD", OPTIONS, strict=True)]
    entries = [
        {
            "Question_id": f"perception/x/{i}", "Image": "a.png", "Text": "Which?",
            "Answer choices": choices, "Ground truth": "C", "Category": "x", "Subtask": "OCR",
            "Task": "Perception",
        }
        for i in range(3)
    ]  # fmt: skip
    (path / "MME.json").write_text(json.dumps(entries))
    return path / "MME.json"


def seed_image(path: Path) -> Path:
    entries = [
        {
            "answer": "A", "choice_a": "1", "choice_b": "2", "choice_c": "3", "choice_d": "4",
            "data_id": "x", "data_type": "image", "question": "How many?", "question_id": str(i),
            "question_type_id": 5,
        }
        for i in range(3)
    ]  # fmt: skip
    (path / "SEED-Bench.json").write_text(json.dumps({"questions": entries}))
    return path / "SEED-Bench.json"


def scienceqa(path: Path) -> Path:
    problems = {
        str(i): {
            "question": "Which?", "choices": OPTIONS, "answer": i, "hint": "Look.",
            "image": "image.png", "grade": "grade4", "subject": "natural science",
        }
        for i in range(3)
    }  # fmt: skip
    (path / "pid_splits.json").write_text(json.dumps({"test": list(problems)}))
    (path / "problems.json").write_text(json.dumps(problems))
    return path / "problems.json"


MAKERS: dict[str, Callable[[Path], Path]] = {
    "hr_bench_4k": hr_bench,
    "mmbench": mmbench,
    "tree_bench": tree_bench,
    "mme_realworld": mme_realworld,
    "seed_image": seed_image,
    "scienceqa": scienceqa,
}


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """One bit, one byte, a stretch that is lost, or one that comes twice."""
    made = bytearray(data)
    kind, at = int(rng.integers(4)), int(rng.integers(len(data)))
    if kind == 0:
        made[at] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        made[at] = int(rng.choice(list(b'"\t\n,:[]{}A0 ')))
    elif kind == 2:
        del made[at : at + int(rng.integers(1, 200))]
    else:
        made[at:at] = made[at : at + int(rng.integers(1, 20))]
    return bytes(made)


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_a_damaged_file_is_named_or_its_questions_can_be_asked(tmp_path: Path, name: str) -> None:
    spec = task_named(name)
    path = MAKERS[name](tmp_path)
    whole = path.read_bytes()
    rng = np.random.default_rng(len(name))
    named = 0
    for _ in range(200):
        path.write_bytes(damaged(whole, rng))
        try:
            questions = spec.task(str(path), require_images=False).questions()
        except ValueError as error:
            told = str(error)
            assert str(path) in told and "\n" not in told and len(told) < 900, told
            named += 1
            continue
        for question in questions:
            check(question)
    assert 20 < named < 200


def check(question: TaskQuestion) -> None:
    """What a question that was read must be."""
    assert question.text.strip() and len(question.options) >= 2
    assert question.answer is None or 0 <= question.answer < len(question.options)
    again: Any = json.loads(json.dumps(question.to_dict()))
    assert TaskQuestion.from_dict(again) == question
