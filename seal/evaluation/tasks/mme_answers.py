"""Other systems' answers to MME: folders of texts as its eval_tool scores, LLaVA's lines, and
VLMEvalKit's table.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seal.evaluation.recorded.answer_file import answer_rows
from seal.evaluation.recorded.cells import text_of
from seal.evaluation.recorded.said import Recorded, Said
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.mme_files import (
    as_asked,
    lines_of_texts,
    questions_of,
    words_key,
)
from seal.metrics.mme import CATEGORIES
from seal.text.quote import quoted

# LLaVA's keys of the image, the question and what was said; and VLMEvalKit's (`MME_rating` in
# vlmeval/dataset/utils/yorn.py). The image is CATEGORY/FILE or CATEGORY/images/FILE, the same for
# both questions, which their words tell apart.
_FORMS = (
    ("question_id", "prompt", "text"),
    ("image_path", "question", "prediction"),
)


def recorded(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    """A folder of results, CATEGORY.txt with four columns, which holds its questions itself; or
    LLaVA's JSON lines or VLMEvalKit's table, which do not.

    None: another form.

    Args:
        questions: of the benchmark, if it is at hand. A row that asks one of them must have its
            answer for the right one. Editions differ in some images, so that rows which ask
            others are taken at their word, as the published program takes all.

    Raises:
        ValueError: a line that is not as it should be, or one of an image's two is missing.
    """
    if path.is_file():
        return _by_words(path, questions)
    if not path.is_dir() or not any((path / f"{c}.txt").is_file() for c in CATEGORIES):
        return None
    lines = list(lines_of_texts(path, answered=True))
    if not lines:
        raise ValueError(f"{path} has no lines in its .txt files")
    own = questions_of(lines)
    known = {words_key(q.split, str(q.image), q.text): q for q in questions or ()}
    said = []
    for line, question in zip(lines, own, strict=True):
        other = known.get(words_key(question.split, str(question.image), question.text))
        if other is not None and other.labels != question.labels:
            raise ValueError(
                f"{line.where}: {question.labels[0]} is called right, but the benchmark's answer "
                f"to {other.id} is {other.labels[0]}"
            )
        said.append(Said(line.where, question.id, text=line.said))
    return own, said


def _by_words(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    if questions is None or path.suffix.lower() not in (".jsonl", ".json", ".tsv", ".xlsx"):
        return None
    rows = answer_rows(path)
    keys = next((form for form in _FORMS if {*form} <= {*rows[0].content}), None)
    if keys is None:
        return None
    known = {words_key(q.split, str(q.image), q.text): q for q in questions}
    said = []
    for row in rows:
        entry = Entry(row.where, row.content)
        if missing := [key for key in keys if key not in row.content]:
            raise ValueError(f"{row.where} lacks {', '.join(missing)}")
        image, asked = entry.text(keys[0]), entry.text(keys[1])
        category = entry.text("category") if "category" in row.content else image.split("/")[0]
        key = words_key(category, image, as_asked(asked))
        if key not in known:
            raise ValueError(
                f"{row.where}: {quoted(as_asked(asked))} of {image} is no question of the "
                "benchmark; editions differ in some images"
            )
        question = known[key]
        truth = row.content.get("answer")
        if isinstance(truth, str) and truth.strip().lower() not in ("", *question.labels):
            raise ValueError(
                f"{row.where}: answer={quoted(truth)}, but the benchmark's to {question.id} is "
                f"{question.labels[0]}"
            )
        more = {k: row.content[k] for k in ("model_id",) if k in row.content}
        text = text_of(row.content, keys[2], row.where)
        said.append(Said(row.where, question.id, text=text, more=more))
    return list(questions), said
