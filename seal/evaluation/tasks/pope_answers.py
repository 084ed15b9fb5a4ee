"""Other systems' answers to POPE: LLaVA's JSON lines, tables with a header, and POPE's own form.

A row is found by its id, by its words, or, as the published programs do it, by its place among the
rows of its category. What a row repeats (the question, the label, the category in its id) must be
the benchmark's, so that a file of the other edition is refused instead of being scored wrongly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from seal.evaluation.recorded.answer_file import AnswerRow, answer_rows
from seal.evaluation.recorded.cells import names_of, text_of
from seal.evaluation.recorded.said import Recorded, Said
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.pope_files import (
    CATEGORIES,
    as_asked,
    category_in_name,
    category_of,
    label_of,
)
from seal.evaluation.tasks.pope_rows import plain_rows
from seal.text.quote import quoted

_CATEGORY = ("category", "split")
_WORDS = ("question", "prompt")
_LABEL = ("label", "gt", "gt_ans", "truth")
_SAID = ("prediction", "output", "response")
_IMAGE = ("image", "image_source")
_PATH = "image_path"  # of VLMEvalKit, which may have files of its own
_OWN = "question_id"  # in `meta`: of LLaVA's question file
# LLaVA counts a category's questions from here on (its llava_pope_test.jsonl).
_LLAVA = {"adversarial": 0, "random": 10_000_000, "popular": 20_000_000}
_FORMS = (".jsonl", ".json", ".tsv", ".csv", ".xlsx")


@dataclass(frozen=True, slots=True)
class _Row:
    where: str
    text: str | None  # what was said
    id: str | None
    category: str | None  # None: nothing but the id can tell
    question: str | None
    label: str | None
    image: str | None
    path: str | None
    more: dict[str, Any]

    @property
    def number(self) -> int | None:
        return int(self.id) if self.id and self.id.isascii() and self.id.isdigit() else None


def recorded(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    """Answers of one system, in one file or in one for each category (named as POPE's are).

    None: rows without a category, in the file's name, a column or LLaVA's way to number, which the
    general forms have to know.

    Args:
        questions: POPE's; None: rows with category, question or id, and label bring their own.

    Raises:
        ValueError: a row that is no question of POPE's, or contradicts it; names the row.
    """
    files = _files(path)
    if files is None:
        return None
    read = [
        _row(row, category_in_name(file.name))
        for file in files
        for row in plain_rows(answer_rows(file), questions)
    ]
    rows = [row for row in read if row is not None]
    if len(rows) < len(read):
        return None
    by_own_id = {str(q.meta[_OWN]): q for q in questions or () if _OWN in q.meta}
    as_llava = _numbered_as_llava(rows, by_own_id)
    if as_llava:
        rows = [replace(row, category=row.category or _llava_category(row)) for row in rows]
    if any(row.category is None for row in rows):
        return None
    if questions is None:
        questions = _own_questions(rows)
        return questions, [
            _said(row, question) for row, question in zip(rows, questions, strict=True)
        ]
    return list(questions), _joined(rows, questions, by_own_id, as_llava)


def _files(path: Path) -> list[Path] | None:
    if path.is_file():
        return [path] if path.suffix.lower() in _FORMS else None
    return [file for file in sorted(path.glob("*")) if category_in_name(file.name)] or None


def _row(row: AnswerRow, category: str | None) -> _Row | None:
    """None: there is no answer in it."""
    entry = Entry(row.where, row.content)
    key, image = _first(row, _CATEGORY), _first(row, _IMAGE)
    said, words, label = _roles(row)
    if said is None:
        return None
    names = names_of(row.content, ("question_id", "id"), row.where)
    return _Row(
        row.where,
        text_of(row.content, said, row.where),
        names[0] if names else None,
        category if key is None else category_of(entry, key),
        None if words is None else entry.text(words),
        None if label is None else label_of(entry, label),
        None if image is None else entry.text(image),
        entry.text(_PATH) if row.content.get(_PATH) else None,
        {key: row.content[key] for key in ("model_id",) if key in row.content},
    )


def _roles(row: AnswerRow) -> tuple[str | None, str | None, str | None]:
    """The keys of what was said, of the question and of the label.

    `text` is an answer in LLaVA's files and the question in POPE's own; `answer` is what was said
    in POPE's, and the label where something else was.
    """
    said, words, label = (_first(row, keys) for keys in (_SAID, _WORDS, _LABEL))
    text, answer = _first(row, ("text",)), _first(row, ("answer",))
    if said is not None or (text and answer and words and not label):
        return said or text, words or (text if said else None), label or answer
    if text and answer:
        if not label:
            raise ValueError(
                f"{row.where} has text and answer: call what was said prediction, and the question "
                "question"
            )
        return (text, words, label) if words else (answer, text, label)
    return text or answer, words, label


def _first(row: AnswerRow, keys: Sequence[str]) -> str | None:
    """The first of the keys that is there; a column of answers may have empty cells."""
    return next((key for key in keys if key in row.content), None)


def _numbered_as_llava(rows: Sequence[_Row], own: Collection[str]) -> bool:
    """Whether ids are those of LLaVA's question file, which tell the category."""
    if own:
        return all(row.id in own for row in rows)
    numbers = [row.number for row in rows]
    return None not in numbers and any(n > _LLAVA["random"] for n in numbers if n is not None)


def _llava_category(row: _Row) -> str | None:
    number = row.number
    if number is None:
        return None
    return max((base, category) for category, base in _LLAVA.items() if base < max(number, 1))[1]


def _own_questions(rows: Sequence[_Row]) -> list[TaskQuestion]:
    """The questions that rows with labels are about."""
    questions = []
    for place, row in enumerate(rows, start=1):
        if row.label is None:
            raise ValueError(
                f"{row.where} has no label: give the folder of POPE's own files as annotations="
            )
        questions.append(
            TaskQuestion(
                id=f"{row.category}/{row.id or place}",
                text="" if row.question is None else as_asked(row.question),
                image=row.image,
                split=str(row.category),
                labels=(row.label,),
            )
        )
    return questions


def _joined(
    rows: Sequence[_Row],
    questions: Sequence[TaskQuestion],
    by_own_id: Mapping[str, TaskQuestion],
    as_llava: bool,
) -> list[Said]:
    of = {c: [q for q in questions if q.split == c] for c in CATEGORIES}
    told = {c: [row for row in rows if row.category == c] for c in CATEGORIES}
    by_id = {question.id: question for question in questions}
    by_words = {_words(q.split, q.image, q.text): q for q in questions if q.image is not None}
    joined: dict[str, Said] = {}
    for category, category_rows in told.items():
        for place, row in enumerate(category_rows):
            if row.id in by_own_id:
                question = by_own_id[str(row.id)]
            elif row.id is not None and not as_llava:
                name = f"{category}/{row.id}"
                if name not in by_id:
                    raise ValueError(
                        f"{row.where}: {quoted(row.id)} is no question of {category}, which has "
                        f"{len(of[category])}"
                    )
                question = by_id[name]
            elif row.id is None and (words := _words_of(row)) in by_words:
                question = by_words[words]
            else:
                question = _by_place(row, place, len(category_rows), of[category])
            _check(row, question)
            if question.id in joined:
                raise ValueError(
                    f"{row.where} answers {quoted(question.id)}, as {joined[question.id].where} did"
                )
            joined[question.id] = _said(row, question)
    return list(joined.values())


def _words_of(row: _Row) -> tuple[str, str, str]:
    return _words(str(row.category), row.image or row.path, row.question)


def _words(category: str, image: str | None, text: str | None) -> tuple[str, str, str]:
    return category, PurePosixPath(image or "").stem, as_asked(text or "")


def _by_place(
    row: _Row, place: int, num_answers: int, questions: Sequence[TaskQuestion]
) -> TaskQuestion:
    """As the published programs do: LLaVA's ids count the questions of their category."""
    if num_answers != len(questions):
        raise ValueError(
            f"{row.where}: {row.category} has {len(questions)} questions here and {num_answers} "
            "answers, which are told by their order alone: are they of another edition of POPE?"
        )
    if row.number is not None:
        place = row.number - _LLAVA[str(row.category)] - 1
    if not 0 <= place < len(questions):
        raise ValueError(f"{row.where}: {quoted(row.id)} is no question of {row.category}")
    return questions[place]


def _check(row: _Row, question: TaskQuestion) -> None:
    """What a row repeats of its question."""
    image = None if question.image is None else PurePosixPath(question.image).stem
    pairs = (
        ("category", row.category, question.split),
        ("question", row.question and as_asked(row.question), as_asked(question.text)),
        ("label", row.label, question.labels[0]),
        ("image", row.image and PurePosixPath(row.image).stem, image),
    )
    for key, told, own in pairs:
        if key == "question" and row.text is not None and as_asked(row.text) == own:
            raise ValueError(
                f"{row.where}: the answer is the question itself, {quoted(own)}; is this a file of "
                "questions? Call what a system said prediction"
            )
        if told is not None and told != own:
            raise ValueError(
                f"{row.where}: {key}={quoted(told)}, but {question.id} of the benchmark has "
                f"{quoted(own)}; is it of the other edition of POPE?"
            )


def _said(row: _Row, question: TaskQuestion) -> Said:
    return Said(row.where, question.id, text=row.text, more=row.more)
