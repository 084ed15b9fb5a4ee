"""V*Bench: questions about small things in large photographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.judged import OVERALL
from seal.evaluation.recorded.said import Recorded
from seal.evaluation.sources.row_pictures import pictures_of_rows
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.evaluation.tasks.vstar_files import read_questions
from seal.evaluation.tasks.vstar_files import read_rows as read_table
from seal.evaluation.tasks.vstar_recorded import read_embedded

# Our own addition, read where it is there: targets that are not in the image. It measures
# something else, so it stays out of the overall number.
ABSENT = "absent"
# Folder, or category of the JSONL form -> split in the results.
SPLITS = {
    "direct_attributes": "attribute",
    "relative_position": "spatial",
    "absent_targets": ABSENT,
}


def read(folder: Path) -> Read:
    """Split by split, sorted by file name (folders) or in the order of the file (JSONL)."""
    found = read_questions(folder, SPLITS)
    questions = [q for split in SPLITS.values() for q in found if q.split == split]
    return questions, FolderImages(folder)


def read_rows(rows: Rows) -> Read:
    """The JSONL form with the pictures in it, as lmms-lab/vstar-bench has it."""
    questions = read_table(rows, SPLITS)
    return questions, pictures_of_rows(rows, [str(q.image) for q in questions])


def splits_of(question: TaskQuestion) -> tuple[str, ...]:
    return (question.split,) if question.split == ABSENT else (question.split, OVERALL)


def recorded(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    """Answers that bring their questions along."""
    return read_embedded(path, questions, SPLITS)


SPEC = TaskSpec(
    name="vstar_bench",
    title="V*Bench: questions about small things in large photographs",
    version="2",
    files="the folder with direct_attributes/ and relative_position/ (an image and a JSON file a "
    "question), or with test_questions.jsonl",
    hub="lmms-lab/vstar-bench",
    origin="https://huggingface.co/datasets/craigwu/vstar_bench",
    licence="not stated; photographs of SA-1B (research only)",
    counts={"attribute": 115, "spatial": 76, OVERALL: 191},
    scorings=(
        "likelihood", "letter", "letter_cyclic", "letter_lmms_eval", "letter_vlmevalkit", "string",
        "as_released",
    ),
    read=read,
    read_rows=read_rows,
    splits_of=splits_of,
    recorded=recorded,
)  # fmt: skip
