"""SEED-Bench: single pictures of its JSON and of the hub; what is said of videos is left out."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from option_lines import lines_of, right
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.score import ScoreRun, run_score
from seal.evaluation.sources.hub import rows_of_dataset

SPEC = task_named("seed_image")


def entries() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [
        {
            "answer": "ABCD"[number], "choice_a": "One", "choice_b": "Two", "choice_c": "Three",
            "choice_d": "Four", "data_id": f"1454_{number}", "data_type": "image",
            "question": f"How many towels are in picture {number}?", "question_id": f"10{number}",
            "question_type_id": 5 if number < 3 else 1,
        }
        for number in range(4)
    ]  # fmt: skip
    video = made[0] | {
        "data_id": "9.webm", "data_type": "video", "question_id": "v1738", "question_type_id": 10,
    }  # fmt: skip
    return [*made[:2], video, *made[2:]]


def benchmark(folder: Path, content: list[dict[str, Any]] | None = None) -> Path:
    (folder / "SEED-Bench-image").mkdir(parents=True, exist_ok=True)
    types = {"Scene Understanding": 1, "Instances Counting": 5, "Action Recognition": 10}
    whole = {"questions": entries() if content is None else content, "question_type": types}
    (folder / "SEED-Bench.json").write_text(json.dumps(whole))
    for number in range(4):  # without suffix, as they come
        Image.new("RGB", (number + 1, 2)).save(
            folder / "SEED-Bench-image" / f"1454_{number}", "PNG"
        )
    return folder


def test_pictures_are_asked_by_dimension_and_videos_are_not(tmp_path: Path) -> None:
    task = SPEC.task(str(benchmark(tmp_path)))
    questions = task.questions()
    assert [q.id for q in questions] == ["100", "101", "102", "103"]
    assert [q.split for q in questions] == ["Instances Counting"] * 3 + ["Scene Understanding"]
    assert task.images.open("1454_3").size == (4, 2)
    found = SPEC.task("").metrics(lines_of(questions, right, "letter_llava"))
    assert list(found) == ["Instances Counting", "Scene Understanding", "overall"]
    assert found["overall"]["accuracy"]["value"] == 1 and found["overall"]["accuracy"]["n"] == 4


def test_rows_of_the_hub_are_the_same_questions(tmp_path: Path) -> None:
    made = []
    for entry in entries():
        data = io.BytesIO()
        Image.new("RGB", (int(entry["data_id"][-1]) + 1 if "_" in entry["data_id"] else 9, 2)).save(
            data, "PNG"
        )
        frames = 1 if entry["data_type"] == "image" else 8
        made.append(entry | {"image": [{"bytes": data.getvalue(), "path": None}] * frames})
    features = datasets.Features(
        {key: datasets.Value("int64" if key == "question_type_id" else "string") for key in made[0]}
        | {"image": datasets.Sequence(datasets.Image())}
    )
    rows = rows_of_dataset(datasets.Dataset.from_list(made, features=features), "hub:a/b")
    assert SPEC.read_rows is not None
    questions, images = SPEC.read_rows(rows)
    assert questions == SPEC.task(str(benchmark(tmp_path))).questions()
    assert [images.open(q.image or "").size[0] for q in questions] == [1, 2, 3, 4]


def test_the_form_of_upload_is_scored_without_its_videos(tmp_path: Path) -> None:
    answers = tmp_path / "up.jsonl"
    said = {"100": "A", "101": "B", "v1738": "A", "102": "A", "103": "D"}
    lines = [{"question_id": name, "prediction": letter} for name, letter in said.items()]
    answers.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = ScoreRun(
        task="seed_image", answers=str(answers), annotations=str(benchmark(tmp_path / "b")),
        out=str(tmp_path / "out"),
    )  # fmt: skip
    found = run_score(run)["systems"]["answers"]
    assert found["overall"]["accuracy"]["value"] == 0.75
    assert found["Scene Understanding"]["accuracy"]["value"] == 1
    assert found["overall"]["accuracy"]["invalid"] == 0
    answers.write_text(json.dumps({"question_id": "999", "prediction": "A"}) + "\n")
    with pytest.raises(ValueError, match=r"up\.jsonl:1: '999' names no question"):
        run_score(run)


@pytest.mark.parametrize(("rows", "credit"), [("AB", 1), ("A", 0.5), ("BA", 0)])
def test_the_id_that_the_official_file_has_twice_is_of_two_questions(
    tmp_path: Path, rows: str, credit: float
) -> None:
    content = [entry | {"question_id": "49914"} for entry in entries()[:2]]  # A and B are right
    folder = benchmark(tmp_path / "b", content)
    assert [q.id for q in SPEC.task(str(folder)).questions()] == ["49914", "49914#2"]
    answers = tmp_path / "up.jsonl"
    lines = [{"question_id": "49914", "prediction": letter} for letter in rows]
    answers.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = ScoreRun(
        task="seed_image", answers=str(answers), annotations=str(folder), out=str(tmp_path / "out")
    )
    accuracy = run_score(run)["systems"]["answers"]["overall"]["accuracy"]
    assert (accuracy["value"], accuracy["n"], accuracy["invalid"]) == (credit, 2, 0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"answer": "E"}, 'answer="E": expected the letter of an option, A to D'),
        ({"choice_c": ""}, 'choice_c=""'),
        ({"data_type": "sound"}, 'data_type="sound": expected one of image, video'),
        ({"question_type_id": 10}, "question_type_id=10: expected 1 to 9 for a picture"),
        ({"question_id": "100"}, "an id of its own"),
        ({"data_id": None}, "data_id=null"),
    ],
)
def test_an_entry_that_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    content = entries()
    content[1] |= change
    with pytest.raises(ValueError, match=rf"SEED-Bench\.json: entry 2: {says}|{says}; .*entry 1"):
        SPEC.task(str(benchmark(tmp_path, content))).questions()


def test_a_file_of_videos_alone_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no questions about pictures, only about videos"):
        SPEC.task(str(benchmark(tmp_path, entries()[2:3]))).questions()
