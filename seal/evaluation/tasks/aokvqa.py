"""A-OKVQA's validation questions, which need some knowledge of the world: answered in words
(`aokvqa`), or by one of four choices (`aokvqa_mc`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from seal.evaluation.judged import OVERALL
from seal.evaluation.recorded.answer_file import answer_rows
from seal.evaluation.recorded.cells import names_of, text_of
from seal.evaluation.recorded.said import Recorded, Said
from seal.evaluation.scorings.file_order import SHUFFLED
from seal.evaluation.sources.json_rows import read_json_list
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.answers_in_words import IN_WORDS, judge_words
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.files import only_file
from seal.evaluation.tasks.image_places import ImagePlaces
from seal.evaluation.tasks.labels import labels_in
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.metrics.exact_match import agreed_answer
from seal.metrics.vicrop_scores import vqa_credit

KEYS = ("question_id", "question", "choices", "correct_choice_idx", "direct_answers")
DIFFICULT = "difficult_direct_answer"  # such questions are asked with their choices alone
_FILE = "aokvqa_v1p0_val.json"


def read(path: Path, *, choices: bool) -> Read:
    """aokvqa_v1p0_val.json, a list, with COCO's val2017/."""
    file = only_file(path, _FILE, "aokvqa*_val.json")
    rows = read_json_list(file)
    rows.need(*KEYS, DIFFICULT, "image_id")
    places = ImagePlaces(file.parent, ("val2017", "images", "coco/val2017", "../coco/val2017"))

    def name_image(entry: RowEntry, index: int) -> str:
        return places.name(f"{entry.number('image_id'):012d}.jpg")

    return _questions(rows, name_image, choices=choices), places.images()


def read_rows(rows: Rows, *, choices: bool) -> Read:
    """The hub's rows, which hold the direct answers as the text of a list."""
    rows.need(*KEYS, DIFFICULT, "image")
    cells: dict[str, tuple[int, str]] = {}

    def name_image(entry: RowEntry, index: int) -> str:
        name = entry.text("question_id")  # the photograph's own name is not told
        cells[name] = (index, "image")
        return name

    return _questions(rows, name_image, choices=choices), row_images(rows, cells)


def _questions(
    rows: Rows, name_image: Callable[[RowEntry, int], str], *, choices: bool
) -> list[TaskQuestion]:
    ids = Ids()
    questions = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        name = ids.new(entry, "question_id", entry.text("question_id"))
        difficult = entry.content[DIFFICULT]
        if not isinstance(difficult, bool):
            raise entry.wrong(DIFFICULT, difficult, "true or false")
        content: dict[str, Any] = {}
        if choices:
            options = entry.options("choices")
            place = entry.number("correct_choice_idx")
            if not 0 <= place < len(options):
                raise entry.wrong("correct_choice_idx", place, f"0 to {len(options) - 1}")
            content = {"options": options, "answer": place, "meta": {SHUFFLED: True}}
        elif difficult:
            continue
        else:
            content = {"labels": _direct_answers(entry)}
        text, image = entry.text("question"), name_image(entry, index)
        questions.append(TaskQuestion(id=name, text=text, image=image, **content))
    if not questions:
        raise ValueError(f"{rows.name} has no question that is asked for a direct answer")
    return questions


def _direct_answers(entry: RowEntry) -> tuple[str, ...]:
    value = entry.content["direct_answers"]
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)  # a list of texts as Python writes it; nothing is run
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise entry.wrong("direct_answers", value, "a list of texts") from None
    return labels_in(Entry(entry.where, {"direct_answers": value}), "direct_answers")


def recorded(path: Path, questions: Sequence[TaskQuestion] | None, *, key: str) -> Recorded | None:
    """The leaderboard's form: by question, {"multiple_choice": text, "direct_answer": text}.

    Such files have direct answers to the difficult questions too, which are not asked for any:
    those rows are left out where their choice stands beside.
    """
    if questions is None or not path.is_file() or path.suffix.lower() != ".json":
        return None
    rows = answer_rows(path)
    if not any(key in row.content for row in rows):
        return None
    asked = {question.id: question for question in questions}
    said = []
    for row in rows:
        (name,) = names_of(row.content, ("id",), row.where) or ("",)
        if name in asked or "multiple_choice" not in row.content or key == "multiple_choice":
            text = text_of(row.content, key, row.where)
            options = asked[name].options if name in asked else ()
            if text in options:  # the words of a choice, be they a letter
                more = {key: text}
                said.append(Said(row.where, name, chosen=options.index(text), more=more))
            else:
                said.append(Said(row.where, name, text=text))
    return list(questions), said


_DIRECT = TaskSpec(
    name="aokvqa",
    title="A-OKVQA, validation: questions that need knowledge, answered in words",
    files=f"{_FILE} with COCO's val2017/, or the folder of both",
    hub="HuggingFaceM4/A-OKVQA::validation",
    origin="https://github.com/allenai/aokvqa",
    licence="Apache 2.0; photographs of COCO",
    counts={},
    scorings=IN_WORDS,
    read=partial(read, choices=False),
    read_rows=partial(read_rows, choices=False),
    judge=judge_words(agreed_answer, vicrop=vqa_credit),
    recorded=partial(recorded, key="direct_answer"),
)
_CHOICE = TaskSpec(
    name="aokvqa_mc",
    title="A-OKVQA, validation: questions that need knowledge, four choices",
    files=_DIRECT.files,
    hub=_DIRECT.hub,
    origin=_DIRECT.origin,
    licence=_DIRECT.licence,
    counts={OVERALL: 1145},
    scorings=("likelihood", "letter_llava", "letter", "letter_cyclic", "string"),
    read=partial(read, choices=True),
    read_rows=partial(read_rows, choices=True),
    recorded=partial(recorded, key="multiple_choice"),
)
SPECS = (_DIRECT, _CHOICE)
