"""MME-RealWorld: its JSON and its tables are the same questions; scored as its script does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from option_lines import lines_of, picture, right, table
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.score import ScoreRun, run_score
from seal.text.letters import LETTERS

SPEC = task_named("MME-RealWorld-Lite")
SUBTASKS = [
    ("Perception", "Monitoring", "Vehicle/counting"),
    ("Perception", "Monitoring", "Vehicle/attribute/color"),
    ("Perception", "OCR with Complex Context", "license"),
    ("Reasoning", "Monitoring", "intention"),
]
WORDS = ["13", "90", "77", "6", "The image does not feature the buses"]


def entries() -> list[dict[str, Any]]:
    return [
        {
            "Question_id": f"{task.lower()}/{category}/{number:04d}",
            "Image": f"monitoring_images/{number}.png",
            "Text": f"How many buses are in picture {number}?",
            "Question Type": "Multiple Choice",
            "Answer choices": [f"({x}) {w}" for x, w in zip("ABCDE", WORDS, strict=True)],
            "Ground truth": "ABCDE"[number],
            "Category": category,
            "Subtask": subtask,
            "Task": task,
        }
        for number, (task, subtask, category) in enumerate(SUBTASKS)
    ]


def write(path: Path, content: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["python list", "lines", "columns"])
def test_tables_and_the_official_json_are_the_same_questions(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "official"
    write(folder / "MME_RealWorld.json", entries())
    for number in range(4):
        path = folder / "monitoring_images" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (number + 1, 2)).save(path)
    of_json = SPEC.task(str(folder))
    columns = [
        "index",
        "image",
        "question",
        "multi-choice options",
        "answer",
        "category",
        "l2-category",
    ]
    rows = []
    for number, entry in enumerate(entries()):
        choices = entry["Answer choices"]
        listed = (
            str(choices)
            if form == "python list"
            else ("The choices are listed below:\n" + "\n".join(choices))
        )
        rows.append([
            number, picture(size=(number + 1, 2)), entry["Text"], listed, entry["Ground truth"],
            f"{entry['Task']}/{entry['Subtask']}", entry["Category"],
        ])  # fmt: skip
    if form == "columns":
        columns += list("ABCDE")
        rows = [[*row, *WORDS] for row in rows]
    of_table = SPEC.task(str(table(tmp_path / "t.tsv", columns, rows)))
    for one, other in zip(of_json.questions(), of_table.questions(), strict=True):
        assert (one.text, one.options, one.answer) == (other.text, other.options, other.answer)
        assert (one.split, one.meta) == (other.split, other.meta)
        assert one.image and other.image
        assert of_json.images.open(one.image).size == of_table.images.open(other.image).size


def test_sub_tasks_kinds_and_all_are_over_questions(tmp_path: Path) -> None:
    questions = SPEC.task(
        str(write(tmp_path / "a.json", entries())), require_images=False
    ).questions()
    assert [q.meta["category"] for q in questions][:2] == ["vehicle/counting", "vehicle/attribute"]
    say = {0: "A", 1: "E", 2: "The answer is C", 3: "i see none"}
    lines = lines_of(questions, lambda q: say[int(q.id[-1])], "letter_mme_realworld")
    found = SPEC.task("").metrics(lines)
    assert list(found) == [
        "Perception/Monitoring", "Perception/OCR with Complex Context", "Reasoning/Monitoring",
        "Perception", "Reasoning", "overall",
    ]  # fmt: skip
    values = {split: of["accuracy"]["value"] for split, of in found.items()}
    assert values["Perception/Monitoring"] == 0.5 and values["Perception"] == pytest.approx(2 / 3)
    assert found["Perception"]["accuracy_unweighted"]["value"] == 0.75
    assert found["overall"]["refusals"] == 1 and found["overall"]["accuracy"]["invalid"] == 1
    assert values["Reasoning"] == 0


def test_the_official_results_are_scored_alone_and_beside_the_benchmark(tmp_path: Path) -> None:
    outputs = ["A", "The best answer is: B", "(D) 6", ""]
    answered = [e | {"Output": o} for e, o in zip(entries(), outputs, strict=True)]
    path = write(tmp_path / "results.json", answered)
    run = ScoreRun(task="mme_realworld", answers=str(path), out=str(tmp_path / "out"))
    found = run_score(run)["systems"]["answers"]["overall"]
    assert found["accuracy"]["value"] == 0.5 and found["accuracy"]["invalid"] == 1
    official = write(tmp_path / "b" / "MME_RealWorld.json", entries())
    run.annotations = str(official)
    assert run_score(run)["systems"]["answers"]["overall"] == found
    write(official, [e | {"Ground truth": "E"} for e in entries()])
    with pytest.raises(
        ValueError, match=r"results\.json: entry 1: answer='A', but the benchmark's"
    ):
        run_score(run)


def test_options_are_asked_in_the_order_of_the_file(tmp_path: Path) -> None:
    questions = SPEC.task(
        str(write(tmp_path / "a.json", entries())), require_images=False
    ).questions()
    lines = lines_of(questions, right, "letter_mme_realworld")
    assert {tuple(line["presented"][0]) for line in lines} == {(0, 1, 2, 3, 4)}
    overall = SPEC.task("").metrics(lines)["overall"]
    assert overall["accuracy"]["value"] == 1 and overall["accuracy"]["n"] == 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"Answer choices": ["(A) x", "(C) y"]}, "Answer choices=.*in this order"),
        ({"Answer choices": ["x", "y"]}, r"texts that begin with \(A\)"),
        ({"Answer choices": ["(A) x"]}, "two or more options"),
        ({"Answer choices": [f"({x}) {x}" for x in f"{LETTERS}A"]}, "in this order"),
        ({"Answer choices": "(A) x"}, "expected a list"),
        ({"Ground truth": "F"}, 'Ground truth="F": expected the letter of an option, A to E'),
        ({"Task": "Guessing"}, 'Task="Guessing": expected Perception or Reasoning'),
        ({"Image": None}, "Image=null"),
        ({"Text": ""}, 'Text=""'),
        ({"Question_id": "perception/Vehicle/attribute/color/0001"}, "an id of its own"),
    ],
)
def test_an_entry_that_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    content = entries()
    content[2] |= change
    path = write(tmp_path / "a.json", content)
    with pytest.raises(ValueError, match=rf"a\.json: entry 3: .*{says}"):
        SPEC.task(str(path), require_images=False).questions()


def test_fullwidth_marks_of_the_chinese_part_are_marks(tmp_path: Path) -> None:
    content = entries()
    content[0]["Answer choices"] = [
        f"\uff08{x}\uff09 {w}" for x, w in zip("ABCDE", WORDS, strict=True)
    ]
    write(tmp_path / "MME_RealWorld_CN.json", content)
    write(tmp_path / "MME_RealWorld.json", entries())  # both lie in the release's folder
    spec = task_named("mme_realworld_cn")
    question = spec.task(str(tmp_path), require_images=False).questions()[0]
    assert question.options == tuple(WORDS)
