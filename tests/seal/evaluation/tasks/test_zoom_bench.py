"""ZoomBench: both views of every question, and the gap between them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from option_lines import written_line
from PIL import Image

from seal.evaluation.grading import grade_folder
from seal.evaluation.judges.graded import judged_by
from seal.evaluation.judges.judge import Grade, Judge
from seal.evaluation.judges.rubric import JudgePrompt
from seal.evaluation.judges.rubrics import rubric_of
from seal.evaluation.named_tasks import task_named
from seal.evaluation.task import TaskQuestion

SPEC = task_named("zoom-bench")
SCORING = "as_asked_zoom_bench"
CHOICES = "<image>What color is the label?\nA. red\nB. blue\nC. green\nAnswer with the letter."


def png(width: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, 4)).save(data, "PNG")
    return data.getvalue()


def records() -> list[dict[str, Any]]:
    return [
        {"id": "a", "query": CHOICES, "response": "B", "question_type": "MCQ"},
        {
            "id": "b",
            "query": "What does the sign say?",
            "response": "Exit 12.",
            "question_type": "OQ",
        },
        {"id": "c", "query": CHOICES, "response": "(C) green", "question_type": "MCQ"},
    ]


def hub_copy(folder: Path, content: list[dict[str, Any]] | None = None) -> Path:
    """data/test.parquet, one group of rows, as the hub has it; the last question has no crop."""
    rows = []
    for number, record in enumerate(records() if content is None else content):
        crop = None if number == 2 else {"bytes": png(30 + number), "path": None}
        rows.append(
            record | {"image": {"bytes": png(20 + number), "path": None}, "crop_image": crop}
        )
    (folder / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "data" / "test.parquet")
    return folder


def test_every_question_is_asked_of_the_whole_picture_and_of_its_crop(tmp_path: Path) -> None:
    task = SPEC.task(str(hub_copy(tmp_path)))
    questions = task.questions()
    assert [q.id for q in questions] == ["a", "b", "c", "a/crop", "b/crop"]
    assert [q.split for q in questions] == ["whole"] * 3 + ["crop"] * 2
    widths = [task.images.open(q.image or "").size[0] for q in questions]
    assert widths == [20, 21, 22, 30, 31]
    mcq, free = questions[0], questions[1]
    assert mcq.text == "What color is the label?" and mcq.options == ("red", "blue", "green")
    assert mcq.answer == 1 and free.options == () and free.labels == ("Exit 12.",)


def test_the_json_of_the_benchmarks_own_script_is_the_same_questions(tmp_path: Path) -> None:
    whole = SPEC.task(str(hub_copy(tmp_path / "hub"))).questions()
    folder = tmp_path / "ZoomBench"
    (folder / "images").mkdir(parents=True)
    content = []
    for number, record in enumerate(records()):
        names = [f"image_{number}.png", f"crop_image_{number}.png"]
        for name, width in zip(names, (20, 30), strict=True):
            (folder / "images" / name).write_bytes(png(width + number))
        shown = [f"../ZoomBench/images/{name}" for name in names]  # as the script is run
        content.append(
            {
                "images": shown[:1], "crop_images": shown[1:] if number < 2 else [],
                "query": record["query"], "response": record["response"],
            }
        )  # fmt: skip
    (folder / "zoombench.json").write_text(json.dumps(content))
    task = SPEC.task(str(folder))
    questions = task.questions()
    assert [(q.text, q.options, q.answer, q.split) for q in questions] == [
        (q.text, q.options, q.answer, q.split) for q in whole
    ]
    assert [q.id for q in questions] == ["0", "1", "2", "0/crop", "1/crop"]
    assert task.images.open(questions[3].image or "").size[0] == 30


def scored(questions: list[TaskQuestion], said: dict[str, str], **grades: float) -> dict[str, Any]:
    lines = []
    for question in questions:
        line = written_line(question, said[question.id], SCORING)
        if question.id in grades:
            line["grade"] = {"score": grades[question.id]}
        lines.append(line)
    return SPEC.task("").metrics(lines)


def test_the_zooming_gap_is_over_questions_judged_in_both_views(tmp_path: Path) -> None:
    questions = SPEC.task(str(hub_copy(tmp_path))).questions()
    said = {
        "a": "A", "a/crop": "<answer>B</answer>", "b": "no idea", "b/crop": "Answer: exit  12",
        "c": "(C) green",
    }  # fmt: skip
    found = scored(questions, said)
    assert list(found) == ["whole", "crop", "overall"]
    assert found["whole"]["accuracy"]["n"] == 2 and found["whole"]["not_judged"] == 1
    assert found["overall"]["accuracy"] == found["whole"]["accuracy"]
    assert found["overall"]["accuracy"]["value"] == 0.5
    assert found["crop"]["accuracy"]["value"] == 1 and found["crop"]["accuracy"]["n"] == 2
    assert found["overall"]["zooming_gap"]["value"] == 1
    assert found["overall"]["zooming_gap"]["n"] == 1  # of b nobody judged the whole picture's
    graded = scored(questions, said, b=0.0)
    assert graded["overall"]["accuracy"]["n"] == 3
    assert graded["overall"]["zooming_gap"]["n"] == 2
    assert scored(questions, said, b=1.0)["overall"]["zooming_gap"]["value"] == 0.5


def test_an_open_question_without_an_answer_is_wrong_and_not_a_judges_matter(
    tmp_path: Path,
) -> None:
    questions = SPEC.task(str(hub_copy(tmp_path))).questions()
    found = scored(questions, dict.fromkeys((q.id for q in questions), ""))
    assert found["overall"]["accuracy"] | {"low": 0, "high": 0} == {
        "value": 0.0, "n": 3, "invalid": 3, "low": 0, "high": 0,
    }  # fmt: skip
    assert "not_judged" not in found["overall"]


def test_only_open_questions_without_a_grade_count_as_ungraded(tmp_path: Path) -> None:
    questions = SPEC.task(str(hub_copy(tmp_path))).questions()
    said = {"a": "A", "a/crop": "B", "b": "no idea", "b/crop": "exit 12", "c": "(C) green"}
    lines = [written_line(q, said[q.id], SCORING) for q in questions]
    graded = lines[-1] | {"grade": {"score": 1.0, "model": "tiny", "prompt": "zoom_bench/1"}}
    judge = judged_by([*lines[:-1], graded], SPEC.task("").score)["judge"]
    assert (judge["graded"], judge["ungraded"]) == (1, 1)  # b alone


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"query": "<image> "}, "query=.*expected a question"),
        ({"response": None}, "response=null"),
        ({"id": "a"}, 'id="a": expected an id of its own'),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    content = records()
    content[1] |= change
    with pytest.raises(ValueError, match=rf"row 2: {says}"):
        SPEC.task(str(hub_copy(tmp_path, content))).questions()


def test_a_choice_whose_options_are_not_to_be_found_is_an_open_question(tmp_path: Path) -> None:
    content = records()
    content[0]["query"] = "Red, blue or green?"
    question = SPEC.task(str(hub_copy(tmp_path, content))).questions()[0]
    assert question.options == () and question.labels == ("B",)
    assert scored([question], {"a": "B"})["overall"]["accuracy"]["value"] == 1


class StrictJudge:
    """Grades everything 0; remembers what it was asked."""

    rubric = rubric_of("zoom_bench")
    cut, fault = 0, None

    def __init__(self) -> None:
        self.asked: list[JudgePrompt] = []

    def made(self, grade: Any) -> bool:
        return bool(grade)

    def grade(self, prompts: Sequence[JudgePrompt], done: Callable[[int, Grade], None]) -> None:
        self.asked += prompts
        for place in range(len(prompts)):
            done(place, {"score": 0.0})


def test_only_open_questions_are_graded(tmp_path: Path) -> None:
    questions = SPEC.task(str(hub_copy(tmp_path / "hub"))).questions()
    lines = [written_line(q, "A stop sign, I think", SCORING) for q in questions]
    judge = StrictJudge()
    graded = grade_folder(tmp_path / "out", lines, cast(Judge, judge))
    assert len(judge.asked) == 2 and "Exit 12." in judge.asked[0].user
    assert [line["id"] for line in graded if "grade" in line] == ["b", "b/crop"]
    found = SPEC.task("").metrics(graded)["overall"]
    assert found["accuracy"]["n"] == 3 and found["accuracy"]["value"] == 0
