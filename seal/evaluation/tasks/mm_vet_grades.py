"""Grades of MM-Vet as its official evaluator writes them, with the answers that they are of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seal.evaluation.recorded.said import Recorded, Said
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.named_entries import named_entry, read_named
from seal.text.quote import quoted

PROMPT = "mm_vet/official"  # what recorded grades were made with
_NAME = re.compile(r"(?P<system>.+)_[^_]+-grade-\d+runs\.json")


def read_grades(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    """Grades as the official evaluator writes them: by question, lists over runs of `model`,
    `content` and `score`. The answers that were graded are taken from the file beside them whose
    name the grades' begins with, if it is there.
    """
    file = _grade_file(path)
    if file is None:
        return None
    grades = read_named(file)
    if not all(isinstance(entry, dict) and "score" in entry for entry in grades.values()):
        return None
    if questions is None:
        raise ValueError(
            f"{file} holds grades of MM-Vet, whose capabilities are in mm-vet.json: "
            "name it with annotations="
        )
    named = _NAME.fullmatch(file.name)
    system = named["system"] if named else ""
    beside = file.with_name(f"{system}.json")
    texts = read_named(beside) if system and beside.is_file() else {}
    said = []
    for name, content in grades.items():
        grade = _grade(named_entry(file, name, content, ("score",)))
        text = texts.get(name)
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{beside}: {quoted(name)} is {quoted(text)}: expected a text")
        said.append(
            Said(f"{file}: {quoted(name)}", name, text=text, system=system, more={"grade": grade})
        )
    lengths = {len(one.more["grade"]["runs"]) for one in said}
    if len(lengths) != 1:
        raise ValueError(
            f"{file} holds {' and '.join(map(str, sorted(lengths)))} runs: all questions must "
            "have been graded as often"
        )
    return list(questions), said


def _grade_file(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix == ".json" else None
    found = [file for file in sorted(path.glob("*.json")) if _NAME.fullmatch(file.name)]
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise ValueError(f"{path} holds grades of {names}: name one of them")
    return found[0] if found else None


def _grade(entry: Entry) -> dict[str, Any]:
    """A grade in our form, of the official prompt; several runs keep their scores."""
    scores = entry.items("score")
    plain = all(
        isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v <= 1 for v in scores
    )
    if not scores or not plain:
        raise entry.wrong("score", scores, "numbers from 0 to 1, one a run")
    models = entry.content.get("model", [])
    contents = entry.content.get("content", [])
    return {
        "score": float(np.mean(scores)),
        "runs": [float(score) for score in scores],
        "model": ", ".join(dict.fromkeys(map(str, models))) if isinstance(models, list) else "",
        "prompt": PROMPT,
        "said": contents[0] if isinstance(contents, list) and len(contents) == 1 else contents,
    }
