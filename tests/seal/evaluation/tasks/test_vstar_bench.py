from __future__ import annotations

import json

import pytest
from golden_files import SAMPLES, needs_samples
from PIL import Image
from vstar_folder import ANNOTATIONS, MUG, write_bench

from seal.evaluation.named_tasks import task_named
from seal.evaluation.task import TaskQuestion
from seal.geometry import Box


def bench(folder, **more):
    return task_named("vstar_bench").task(str(folder), **more)


def likelihood_line(question, losses, system="none", searches=()):
    return {
        "system": system,
        "scoring": "likelihood",
        "question": question.to_dict(),
        "answer": {"losses": losses, "searches": list(searches)},
    }


def found(box, steps):
    return {"found": True, "boxes": [box], "num_steps": steps, "path": [{}] * steps,
            "calls": {"detect": steps}}  # fmt: skip


def test_annotations_become_questions_with_boxes_as_xyxy(tmp_path):
    questions = bench(write_bench(tmp_path)).questions()
    assert [q.id for q in questions] == list(ANNOTATIONS)
    assert [q.split for q in questions] == ["attribute", "attribute", "spatial", "spatial"]
    assert questions[0].image == "direct_attributes/a.mug.jpg"
    assert questions[0].targets[0].boxes == (Box.from_xywh(*MUG),)
    assert questions[0].answer == 0
    assert [t.group for t in questions[2].targets] == ["home", "away"]
    assert questions[3].targets[1].boxes == ()


def test_a_question_survives_its_prediction_line(tmp_path):
    for question in bench(write_bench(tmp_path)).questions():
        stored = json.loads(json.dumps(question.to_dict()))
        assert TaskQuestion.from_dict(stored) == question


def test_limit_takes_the_first_of_each_split(tmp_path):
    questions = bench(write_bench(tmp_path), limit=1).questions()
    assert [q.id for q in questions] == ["direct_attributes/a.mug", "relative_position/c"]


def test_missing_images_are_counted_before_anything_runs(tmp_path):
    write_bench(tmp_path)
    (tmp_path / "relative_position" / "c.jpg").unlink()
    with pytest.raises(ValueError, match=r"1 of 4 questions have no image, .* relative_position/c"):
        bench(tmp_path).questions()
    assert len(bench(tmp_path, require_images=False).questions()) == 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bbox": []}, "1 target_object, 0 bbox and 1 meta.groups must be as many"),
        ({"bbox": [[1, 2, 0, 4]]}, "of some size"),
        ({"options": ["one"]}, "two or more different options"),
        ({"options": ["one", "one"]}, "two or more different options"),
        ({"question": None}, None),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path, change, says):
    write_bench(tmp_path)
    path = tmp_path / "direct_attributes" / "b.json"
    content = {**ANNOTATIONS["direct_attributes/b"], **change}
    if says is None:
        del content["question"]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=says or "b.json lacks question"):
        bench(tmp_path).questions()


def test_a_folder_that_is_no_benchmark_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a folder"):
        bench(tmp_path / "nowhere").questions()
    with pytest.raises(ValueError, match="has no questions: expected"):
        bench(tmp_path).questions()
    with pytest.raises(ValueError, match="limit=0 must be at least 1"):
        bench(tmp_path, limit=0)


def test_the_jsonl_form_gives_the_same_kind_of_question(tmp_path):
    line = {
        "image": "direct_attributes/x.jpg", "category": "direct_attributes", "label": "B",
        "question_id": 7,
        "text": "What is the color of the mug?\n(A) red\n(B) blue\nAnswer with the letter.",
    }  # fmt: skip
    (tmp_path / "test_questions.jsonl").write_text(json.dumps(line) + "\n")
    (question,) = bench(tmp_path, require_images=False).questions()
    assert (question.id, question.split, question.answer) == ("7", "attribute", 1)
    assert question.text == "What is the color of the mug?"
    assert question.options == ("red", "blue")
    (tmp_path / "test_questions.jsonl").write_text(json.dumps({**line, "label": "C"}) + "\n")
    with pytest.raises(ValueError, match='jsonl:1: label="C": expected the letter'):
        bench(tmp_path, require_images=False).questions()


def test_the_jsonl_form_may_hold_any_character_and_end_in_a_blank_line(tmp_path):
    line = {
        "image": "x.jpg", "category": "direct_attributes", "label": "A",
        "text": "What is it?\u2028Tell\u0085me.\n(A) red\n(B) blue",
    }  # fmt: skip
    text = json.dumps(line, ensure_ascii=False) + "\n\n"
    (tmp_path / "test_questions.jsonl").write_text(text, encoding="utf-8")
    (question,) = bench(tmp_path, require_images=False).questions()
    assert question.text == "What is it?\u2028Tell\u0085me."


def test_a_tie_earns_nothing_and_is_counted_as_a_tie_not_as_invalid(tmp_path):
    task = bench(write_bench(tmp_path))
    a, b, c, d = task.questions()
    lines = [
        likelihood_line(a, [0.1, 0.1, 0.5]),
        likelihood_line(b, [0.1, 0.2]),
        likelihood_line(c, [0.3, 0.2]),
        {**likelihood_line(d, []), "answer": None},
    ]
    metrics = task.metrics(lines)
    assert metrics["attribute"]["accuracy"]["value"] == 0.5
    assert (metrics["attribute"]["ties"], metrics["attribute"]["accuracy"]["invalid"]) == (1, 0)
    assert metrics["spatial"]["accuracy"]["value"] == 0
    assert (metrics["spatial"]["ties"], metrics["spatial"]["accuracy"]["invalid"]) == (0, 1)
    assert metrics["overall"]["accuracy"]["n"] == 4


def test_metrics_do_not_depend_on_the_order_of_options(tmp_path):
    task = bench(write_bench(tmp_path))
    question = task.questions()[0]
    for first in range(3):
        order = [first, *(i for i in range(3) if i != first)]
        losses = {0: 0.2, 1: 0.7, 2: 0.3}
        content = question.to_dict()
        content["options"] = [question.options[i] for i in order]
        content["answer"] = order.index(0)
        line = likelihood_line(TaskQuestion.from_dict(content), [losses[i] for i in order])
        assert task.metrics([line])["overall"]["accuracy"]["value"] == 1


def test_absent_targets_are_a_split_of_their_own_outside_the_overall_number(tmp_path):
    write_bench(tmp_path)
    (tmp_path / "absent_targets").mkdir()
    for suffix in ("json", "jpg"):
        source = tmp_path / "relative_position" / f"d.{suffix}"
        (tmp_path / "absent_targets" / f"d.{suffix}").write_bytes(source.read_bytes())
    task = bench(tmp_path)
    questions = task.questions()
    assert [q.split for q in questions].count("absent") == 1
    lines = [likelihood_line(q, [0.1, 0.2, 0.3][: len(q.options)]) for q in questions[:-1]]
    assert "absent" not in task.metrics(lines)
    lines.append(likelihood_line(questions[-1], [0.2, 0.1]))
    metrics = task.metrics(lines)
    assert (metrics["overall"]["accuracy"]["n"], metrics["overall"]["accuracy"]["value"]) == (4, 1)
    assert (metrics["absent"]["accuracy"]["n"], metrics["absent"]["accuracy"]["value"]) == (1, 0)


def test_a_search_counts_as_a_hit_if_its_box_is_on_the_target(tmp_path):
    task = bench(write_bench(tmp_path))
    a, _, c, d = task.questions()
    mug = a.targets[0].boxes[0]
    right = [mug.x0, mug.y0, mug.x1, mug.y1]
    lines = [
        likelihood_line(a, [0, 1, 1], "guided", [found(right, 3)]),
        likelihood_line(c, [0, 1], "guided", [found(right, 5), found([0, 0, 9, 9], 1)]),
        likelihood_line(d, [0, 1], "guided"),
    ]
    overall = task.metrics(lines)["overall"]
    assert overall["target_hit"]["n"] == 4  # the kite is nowhere: it cannot be hit
    assert overall["target_hit"]["value"] == 0.5
    assert (overall["search_length"]["value"], overall["search_length"]["invalid"]) == (4, 2)
    assert overall["visits"]["value"] == 3
    assert overall["searched"]["value"] == pytest.approx(2 / 3)
    assert "searched" not in task.metrics([likelihood_line(a, [0, 1, 1])])["overall"]
    failed = likelihood_line(a, [0, 1, 1], "guided") | {"answer": None, "error": "damaged"}
    lost = task.metrics([failed, *lines[1:]])["overall"]
    assert (lost["target_hit"]["value"], lost["target_hit"]["invalid"]) == (0.25, 1)
    assert (lost["searched"]["value"], lost["searched"]["invalid"]) == (pytest.approx(1 / 3), 1)
    assert (lost["visits"]["n"], lost["visits"]["invalid"]) == (2, 1)


@needs_samples
def test_the_official_annotations_read_as_191_questions_and_245_targets():
    questions = bench(SAMPLES / "vstar_bench", require_images=False).questions()
    splits = [q.split for q in questions]
    assert (splits.count("attribute"), splits.count("spatial")) == (115, 76)
    assert sum(len(q.targets) for q in questions) == 115 + 54 * 2 + 22
    assert {len(q.options) for q in questions} == {2, 4}


@needs_samples
def test_rescoring_recorded_losses_gives_the_recorded_accuracy_but_for_ties():
    """The recorded run gave a tie to the option that stands first, which is the true one."""
    folder = SAMPLES / "vstar_bench"
    expected = json.loads((folder / "recorded" / "expected.json").read_text())
    task = bench(folder, require_images=False)
    questions = {q.id: q for q in task.questions()}
    names = {"attribute": "direct_attributes", "spatial": "relative_position"}
    for recorded in sorted((folder / "recorded").glob("*.jsonl")):
        record = next(value for key, value in expected.items() if recorded.stem.endswith(key))
        lines = [json.loads(line) for line in recorded.read_text().splitlines()]
        metrics = task.metrics([
            likelihood_line(
                questions[line["input_image"].rsplit(".", 1)[0]], line["per_option_losses"]
            )
            for line in lines
        ])  # fmt: skip
        for split in ("attribute", "spatial", "overall"):
            ours, theirs = metrics[split]["accuracy"], names.get(split, split)
            assert ours["n"] == record["n"][theirs]
            right = round(record["accuracy"][theirs] * ours["n"])
            assert round(ours["value"] * ours["n"]) + metrics[split]["ties"] == right
        assert metrics["overall"]["ties"] > 0  # the claim is not empty


def test_a_table_with_pictures_in_it_is_read_as_the_files_are(tmp_path):
    datasets = pytest.importorskip("datasets")
    lines = [
        {"text": f"Which one, {i}?\n(A) red\n(B) blue\nAnswer with the letter.", "label": "B",
         "category": "direct_attributes", "question_id": str(i + 5)}
        for i in range(2)
    ]  # fmt: skip
    images = []
    for i, line in enumerate(lines):
        Image.new("RGB", (8, 6), (i, 9, 9)).save(tmp_path / f"{i}.png")
        images.append({"bytes": (tmp_path / f"{i}.png").read_bytes(), "path": None})
        line["image"] = f"{i}.png"
    (tmp_path / "test_questions.jsonl").write_text("".join(json.dumps(a) + "\n" for a in lines))
    rows = [line | {"image": image} for line, image in zip(lines, images, strict=True)]
    features = datasets.Features(
        {k: datasets.Value("string") for k in lines[0]} | {"image": datasets.Image()}
    )
    (tmp_path / "copy").mkdir()
    table = datasets.Dataset.from_list(rows, features=features)
    table.to_parquet(str(tmp_path / "copy" / "test-00000-of-00001.parquet"))
    files, copy = bench(tmp_path), bench(tmp_path / "copy")
    assert [q.id for q in copy.questions()] == ["5", "6"]
    for one, other in zip(files.questions(), copy.questions(), strict=True):
        assert (one.text, one.options, one.answer) == (other.text, other.options, other.answer)
        assert files.images.digest(one.image) == copy.images.digest(other.image)
