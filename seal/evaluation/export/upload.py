"""A run's answers as the servers of benchmarks whose truth is not public want them.

The forms are those that the benchmarks' own and LLaVA's programs write
(haotian-liu/LLaVA, scripts/convert_{mmbench,vqav2,gqa,mmvet,seed}_for_*.py; lmms-eval's submission
files of TextVQA and DocVQA; allenai/aokvqa, README). What a server strips of an answer by itself
is left as it was said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from seal.evaluation.export.answers import ExportedAnswer, task_of
from seal.evaluation.export.vlmevalkit import vlmevalkit_table
from seal.evaluation.sources.workbook import write_workbook
from seal.files.whole import write_whole
from seal.text.letters import LETTERS

_DROPPED = ("hint", "category", "source", "l2-category")  # of MMBench's columns
Write: TypeAlias = "Callable[[Sequence[ExportedAnswer], Path], None]"


def write_upload(answers: Sequence[ExportedAnswer], out: Path) -> None:
    """The file that the benchmark's server takes.

    Raises:
        ValueError: the benchmark has no such form here; a question has no answer, which a server
            would count as wrong; a suffix that the server does not take.
    """
    task = task_of(answers)
    if task not in _UPLOADS:
        raise ValueError(
            f"form=upload: {task} has no server whose form is known here, only "
            f"{', '.join(_UPLOADS)}; form=vlmevalkit and form=lmms_eval take every benchmark"
        )
    if lost := [answer.question.id for answer in answers if answer.text is None]:
        raise ValueError(
            f"{len(lost)} of {len(answers)} questions have no answer, for example {lost[0]}: run "
            "eval/benchmark again, which asks only those"
        )
    suffix, write = _UPLOADS[task]
    if out.suffix.lower() != suffix:
        raise ValueError(f"out={out}: {task} is uploaded as {suffix}")
    write(answers, out)


def _listed(id_key: str, text_key: str) -> Write:
    """A JSON list of objects with two keys."""

    def write(answers: Sequence[ExportedAnswer], out: Path) -> None:
        rows = [{id_key: a.index, text_key: a.text} for a in answers]
        write_whole(out, json.dumps(rows))

    return write


def _gqa(answers: Sequence[ExportedAnswer], out: Path) -> None:
    """Its scorer compares texts as they stand, with ids as texts and answers in lower case."""
    rows = [
        {"questionId": a.question.id, "prediction": str(a.text).strip().rstrip(".").lower()}
        for a in answers
    ]
    write_whole(out, json.dumps(rows))


def _mm_vet(answers: Sequence[ExportedAnswer], out: Path) -> None:
    write_whole(out, json.dumps({a.question.id: a.text for a in answers}, indent=2))


def _aokvqa(answers: Sequence[ExportedAnswer], out: Path) -> None:
    """The words of the chosen option, or the answer in words."""
    rows: dict[str, Any] = {}
    for answer in answers:
        if answer.question.options:
            words = answer.text
            if answer.letter is not None:
                words = answer.options[LETTERS.index(answer.letter)]
            rows[answer.question.id] = {"multiple_choice": words}
        else:
            rows[answer.question.id] = {"direct_answer": answer.text}
    write_whole(out, json.dumps(rows))


def _seed(answers: Sequence[ExportedAnswer], out: Path) -> None:
    """The letter, or what was said where it names none."""
    rows = [{"question_id": a.question.id, "prediction": a.letter or a.text} for a in answers]
    write_whole(out, "".join(json.dumps(row) + "\n" for row in rows))


def _mmbench(answers: Sequence[ExportedAnswer], out: Path) -> None:
    """Without what LLaVA's program leaves out as well."""
    columns, rows = vlmevalkit_table(answers)
    kept = [i for i, column in enumerate(columns) if column not in _DROPPED]
    write_workbook(out, [columns[i] for i in kept], [[row[i] for i in kept] for row in rows])


_UPLOADS: dict[str, tuple[str, Write]] = {
    "mmbench": (".xlsx", _mmbench),
    "mmbench_cn": (".xlsx", _mmbench),
    "vqav2": (".json", _listed("question_id", "answer")),
    "textvqa": (".json", _listed("question_id", "answer")),
    "docvqa": (".json", _listed("questionId", "answer")),
    "gqa": (".json", _gqa),
    "aokvqa": (".json", _aokvqa),
    "mm_vet": (".json", _mm_vet),
    "seed_image": (".jsonl", _seed),
}
