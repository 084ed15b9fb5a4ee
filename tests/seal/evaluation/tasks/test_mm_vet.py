from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from golden_files import SAMPLES, needs_samples

from seal.evaluation.judged import Judged
from seal.evaluation.named_tasks import task_named
from seal.evaluation.sources.rows import ListedRows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.mm_vet import CAPABILITIES, SPEC, metrics, read, read_rows
from seal.evaluation.tasks.mm_vet_grades import read_grades

ENTRIES = {
    "v1_0": ("a.png", "What do the signs say?", "stop<AND>go", ["ocr"]),
    "v1_1": ("a.png", "Which sign is left?", "stop<OR>the stop sign", ["spat", "ocr"]),
    "v1_2": ("b.png", "Who painted this?", "Ann Onymous", ["know", "rec"]),
}


def entry(image: str, question: str, answer: str, capability: list[str]) -> dict[str, Any]:
    return {
        "imagename": image, "question": question, "answer": answer, "capability": capability,
        "imagesource": "drawn",
    }  # fmt: skip


def bench(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    content = {name: entry(*values) for name, values in ENTRIES.items()}
    (folder / "mm-vet.json").write_text(json.dumps(content))
    return folder


def grades(folder: Path, scores: dict[str, list[float]], name: str = "m_gpt-4-grade-1runs.json"):
    content = {
        question: {
            "model": ["gpt-4"] * len(of),
            "content": [str(v) for v in of],
            "score": of,
        }
        for question, of in scores.items()
    }
    (folder / name).write_text(json.dumps(content))
    return folder / name


def judged(pairs: list[tuple[TaskQuestion, Any]]) -> list[Judged]:
    """pairs: question, and its grade or its answer."""
    lines = [
        (q, {"answer": {"text": "said"}, "grade": of} if "score" in of else {"answer": of})
        for q, of in pairs
    ]
    return [Judged(q, line, SPEC.judge(q, line)) for q, line in lines]


@needs_samples
def test_every_printed_column_of_a_published_run_comes_out():
    folder = SAMPLES / "mmvet"
    questions, _ = read(folder / "mm-vet.json")
    assert len(questions) == SPEC.counts["overall"] == 218
    found = read_grades(folder / "recorded", questions)
    assert found is not None and len(found[1]) == 218
    assert found[1][3].text is not None and found[1][0].system == "llava-v1.5-13b"
    by_id = {question.id: question for question in found[0]}
    splits = metrics(judged([(by_id[said.id], said.more["grade"]) for said in found[1]]), 0)
    columns = 0
    for kind in ("cap-score", "cap-int-score"):
        with (folder / f"recorded/llava-v1.5-13b_gpt-4-{kind}-1runs.csv").open() as file:
            (printed,) = csv.DictReader(file)
        del printed[""]
        for name, value in printed.items():
            capabilities = [one for one in CAPABILITIES if one in name.split("_")]
            split = name if kind == "cap-score" else "_".join(["only", *capabilities])
            overall = splits["overall"]
            if name == "runs":
                assert [f"{run:.1%}" for run in overall["official_runs"]] == ["36.1%"]
            elif name == "std":
                assert overall["official_std"] == float(value) == 0.0
            else:
                metric = splits["overall" if name == "total" else split]["official"]
                assert metric["value"] == float(value) / 100, name
            columns += 1
    assert columns == 9 + 19
    assert splits["overall"]["score"]["value"] == pytest.approx(78.8 / 218, abs=1e-12)
    low, high = (splits["overall"]["score"][end] for end in ("low", "high"))
    assert 0.29 < low < 0.32 and 0.40 < high < 0.43


def test_the_folder_is_read_with_its_accepted_answers_and_capabilities(tmp_path):
    questions, images = read(bench(tmp_path))
    assert [q.labels for q in questions] == [
        ("stop<AND>go",), ("stop", "the stop sign"), ("Ann Onymous",),
    ]  # fmt: skip
    assert questions[1].meta["capability"] == ["ocr", "spat"]  # in the order of the tables
    assert questions[2].meta["question_id"] == 2  # as answer files of LLaVA's form call it
    assert (questions[0].image, images.has("a.png")) == ("a.png", False)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"")
    assert read(tmp_path)[1].has("a.png")
    assert task_named("MM-Vet") is task_named("mmvet") is SPEC
    assert task_named("V*Bench") is task_named("vstar-bench") is task_named("v*_bench")


def test_the_rows_of_the_hub_say_the_same(tmp_path):
    questions, _ = read(bench(tmp_path))
    rows = [
        {
            "question_id": name,
            "image": {"bytes": name.encode(), "path": None},
            "question": question,
            "answer": answer,
            "capability": ",".join(capability),
        }
        for name, (_, question, answer, capability) in ENTRIES.items()
    ]
    found, images = read_rows(ListedRows("hub", rows, [f": row {i}" for i in range(3)]))
    assert [(q.id, q.text, q.labels, q.meta) for q in found] == [
        (q.id, q.text, q.labels, q.meta) for q in questions
    ]
    assert images.has("v1_0") and images.digest("v1_0") != images.digest("v1_1")


def test_capabilities_combinations_and_all_are_means_over_their_questions(tmp_path):
    questions, _ = read(bench(tmp_path))
    splits = metrics(
        judged([(q, {"score": s}) for q, s in zip(questions, [1, 0.5, 0.2], strict=True)]), 0
    )
    found = {name: (of["score"]["value"], of["score"]["n"]) for name, of in splits.items()}
    assert found == {
        "rec": (0.2, 1), "ocr": (0.75, 2), "know": (0.2, 1), "spat": (0.5, 1),
        "only_ocr": (1.0, 1), "only_ocr_spat": (0.5, 1), "only_rec_know": (0.2, 1),
        "overall": (pytest.approx(1.7 / 3), 3),
    }  # fmt: skip
    assert list(splits)[-1] == "overall"
    # Both questions of one picture are drawn together: the interval is of two pictures.
    assert (splits["overall"]["score"]["low"], splits["overall"]["score"]["high"]) == (0.2, 0.75)


def test_who_was_not_graded_is_counted_and_earns_neither_0_nor_anything_else(tmp_path):
    (a, b, c), _ = read(bench(tmp_path))
    ungraded = {"score": None, "model": "m", "prompt": "mm_vet/1", "said": "well"}
    whole = judged([(a, {"score": 1.0}), (b, ungraded), (c, {"text": "  "})])
    assert [one.score["credit"] for one in whole] == [1.0, None, 0.0]
    assert [one.score["invalid"] for one in whole] == [False, False, True]
    overall = metrics(whole, 0)["overall"]
    assert overall["ungraded"] == 1
    assert (overall["score"]["value"], overall["score"]["n"], overall["score"]["invalid"]) == (
        0.5, 2, 1,
    )  # fmt: skip
    nobody = metrics(judged([(a, {"text": "stop"}), (b, {"text": "go"})]), 0)["overall"]
    assert nobody["score"]["value"] is None and nobody["ungraded"] == 2
    assert nobody["official"]["value"] is None


def test_several_runs_of_the_judge_give_their_mean_and_their_spread(tmp_path):
    questions, _ = read(bench(tmp_path))
    file = grades(tmp_path, {"v1_0": [1, 0.5], "v1_1": [0, 0.1], "v1_2": [0.5, 0.9]})
    found = read_grades(file, questions)
    assert found is not None
    overall = metrics(
        judged(list(zip(questions, (said.more["grade"] for said in found[1]), strict=True))), 0
    )["overall"]
    assert overall["score"]["value"] == 0.5
    assert overall["official_runs"] == [0.5, 0.5] and overall["std_of_runs"]["value"] == 0.0
    file = grades(tmp_path, {"v1_0": [1, 0.5], "v1_1": [0, 0.1], "v1_2": [0.5, 0.3]})
    found = read_grades(file, questions)
    assert found is not None
    overall = metrics(
        judged(list(zip(questions, (said.more["grade"] for said in found[1]), strict=True))), 0
    )["overall"]
    assert overall["official_runs"] == [0.5, 0.3] and overall["official_std"] == 0.1
    assert (overall["std_of_runs"]["value"], overall["std_of_runs"]["n"]) == (0.1, 2)


def test_the_answers_beside_the_grades_are_taken_along(tmp_path):
    questions, _ = read(bench(tmp_path))
    grades(tmp_path, {"v1_0": [1.0]})
    (tmp_path / "m.json").write_text(json.dumps({"v1_0": "stop and go"}))
    found = read_grades(tmp_path, questions)
    assert found is not None
    assert (found[1][0].text, found[1][0].system) == ("stop and go", "m")
    assert found[1][0].more["grade"] == {
        "score": 1.0, "runs": [1.0], "model": "gpt-4", "prompt": "mm_vet/official", "said": "1.0",
    }  # fmt: skip
    assert read_grades(tmp_path / "m.json", questions) is None  # answers, and no grades
    grades(tmp_path, {"v1_0": [1.0]}, "n_gpt-4-grade-1runs.json")
    with pytest.raises(ValueError, match=r"m_gpt-4-grade-1runs.json, n_gpt.*: name one"):
        read_grades(tmp_path, questions)


@pytest.mark.parametrize(
    ("scores", "problem"),
    [
        ([1.5], r"'v1_0': score=\[1.5\]: expected numbers from 0 to 1"),
        ([-0.1], r"expected numbers from 0 to 1"),
        ([True], r"expected numbers from 0 to 1"),
        ([float("nan")], r"expected numbers from 0 to 1"),
        ([], r"expected numbers from 0 to 1"),
        (["0.5"], r"expected numbers from 0 to 1"),
        ([0.5, 0.5], r"holds 1 and 2 runs"),
    ],
)
def test_grades_that_are_none_name_their_question(tmp_path, scores, problem):
    questions, _ = read(bench(tmp_path))
    with pytest.raises(ValueError, match=problem):
        read_grades(grades(tmp_path, {"v1_0": scores, "v1_1": [0.5]}), questions)


def test_grades_need_the_benchmark_for_their_capabilities(tmp_path):
    with pytest.raises(ValueError, match=r"mm-vet.json: name it with annotations="):
        read_grades(grades(tmp_path, {"v1_0": [1.0]}), None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "expected an object with an entry for each name"),
        ("{}", "expected an object with an entry for each name"),
        ('{"v1_0"', "is not JSON"),
        ('{"v1_0": 3}', "'v1_0' is 3: expected an object"),
        ('{"v1_0": {"imagename": "a.png"}}', "'v1_0' lacks question, answer, capability"),
        ('{"v1_0": {}, "v1_0": {}}', "'v1_0' stands there twice"),
        (
            json.dumps({"v1_0": entry("a.png", "Q?", "x", ["math", "taste"])}),
            'capability=.*"taste"',
        ),
        (json.dumps({"v1_0": entry("a.png", "Q?", "x", [])}), "capability="),
        (json.dumps({"v1_0": entry("a.png", "Q?", "x<AND>", ["math"])}), "words between"),
        (json.dumps({"v1_0": entry("a.png", " ", "x", ["math"])}), "'v1_0': question="),
    ],
)
def test_a_malformed_file_names_its_entry(tmp_path, text, problem):
    (tmp_path / "mm-vet.json").write_text(text)
    with pytest.raises(ValueError, match=problem) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "mm-vet.json"))


@pytest.mark.parametrize("score", [1.5, -0.5, float("nan"), "0.5", True, [0.5], {}])
def test_a_stored_grade_that_is_none_is_told_and_not_counted(score):
    question = TaskQuestion(id="v1_7", text="?", meta={"capability": ["rec"]})
    line = {"id": "v1_7", "answer": {"text": "x"}, "grade": {"score": score}}
    with pytest.raises(ValueError, match=r"v1_7: grade\.score="):
        SPEC.judge(question, line)
