"""Reviews of LLaVA-Bench as its official program writes them: two grades on each line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seal.evaluation.recorded.said import Recorded, Said
from seal.evaluation.sources.json_rows import read_json_lines
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.row_entry import Ids

PROMPT = "llava_bench/official"  # what recorded grades were made with
_PREFIX = "llava_bench_"  # of categories
_CATEGORIES = ("conv", "detail", "complex")
_NO_GRADE = [-1, -1]  # what the official program writes for a review that it could not read


def read_reviews(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    """JSONL with `question_id`, `category`, `content` and `tuple`: [of the reference, of the
    answer]. A review says all that a score needs: without `questions` they are made of it.

    The official summary counts a review without grades as -1 of both; here it is ungraded.
    """
    if not path.is_file() or path.suffix != ".jsonl":
        return None
    rows = read_json_lines(path)
    if not {"question_id", "category", "tuple"} <= set(rows.columns):
        return None
    said: list[Said] = []
    made: list[TaskQuestion] = []
    ids = Ids()
    for index, row in enumerate(rows):
        entry = Entry(rows.where(index), row)
        missing = [key for key in ("question_id", "category", "tuple") if key not in row]
        if missing:
            raise ValueError(f"{rows.where(index)} lacks {', '.join(missing)}")
        name = row["question_id"]
        if isinstance(name, bool) or not isinstance(name, int | str):
            raise entry.wrong("question_id", name, "a number or a text")
        category = entry.text("category").removeprefix(_PREFIX)
        if category not in _CATEGORIES:
            raise entry.wrong("category", category, f"one of {', '.join(_CATEGORIES)}")
        more = {"grade": _grade(entry)}
        name = ids.new(entry, "question_id", name)
        said.append(Said(rows.where(index), name, more=more))
        made.append(TaskQuestion(id=name, text="", split=category))
    return list(made if questions is None else questions), said


def _grade(entry: Entry) -> dict[str, Any]:
    scores = entry.items("tuple")
    plain = len(scores) == 2 and all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in scores
    )
    # The program asks for 1 to 10; a 0 that was given all the same was counted.
    if not plain or not (scores == _NO_GRADE or all(0 <= v <= 10 for v in scores)):
        raise entry.wrong("tuple", scores, "two numbers from 1 to 10")
    said = entry.content.get("content", "")
    return {
        "score": None if scores == _NO_GRADE else [float(v) for v in scores],
        "model": "",  # the reviews do not tell
        "prompt": PROMPT,
        "said": said if isinstance(said, str) else "",
    }
