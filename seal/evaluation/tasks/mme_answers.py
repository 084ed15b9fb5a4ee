"""Other systems' answers to MME: folders of texts as its eval_tool scores, and LLaVA's lines."""

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

_LLAVA = ("question_id", "prompt", "text")


def recorded(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    """A folder of results, CATEGORY.txt with four columns, which holds its questions itself; or
    LLaVA's JSON lines, which do not.

    None: another form.

    Args:
        questions: of the benchmark, if it is at hand. A row that asks one of them must have its
            answer for the right one. Editions differ in some images, so that rows which ask
            others are taken at their word, as the published program takes all.

    Raises:
        ValueError: a line that is not as it should be, or one of an image's two is missing.
    """
    if path.is_file():
        return _of_llava(path, questions)
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


def _of_llava(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    """question_id is the image in the release, CATEGORY/FILE or CATEGORY/images/FILE, the same for
    both questions, which the prompt tells apart.
    """
    if questions is None or path.suffix.lower() not in (".jsonl", ".json"):
        return None
    rows = answer_rows(path)
    if not all(key in rows[0].content for key in _LLAVA):
        return None
    known = {words_key(q.split, str(q.image), q.text): q for q in questions}
    said = []
    for row in rows:
        entry = Entry(row.where, row.content)
        if missing := [key for key in _LLAVA if key not in row.content]:
            raise ValueError(f"{row.where} lacks {', '.join(missing)}")
        image, prompt = entry.text("question_id"), entry.text("prompt")
        key = words_key(image.partition("/")[0], image, as_asked(prompt))
        if key not in known:
            raise ValueError(
                f"{row.where}: {quoted(as_asked(prompt))} of {image} is no question of the "
                "benchmark; editions differ in some images"
            )
        more = {k: row.content[k] for k in ("model_id",) if k in row.content}
        text = text_of(row.content, "text", row.where)
        said.append(Said(row.where, known[key].id, text=text, more=more))
    return list(questions), said
