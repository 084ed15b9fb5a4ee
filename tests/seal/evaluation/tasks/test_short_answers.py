"""GQA, TextVQA, DocVQA, VQAv2 and A-OKVQA: official files, the hub's rows, and their own rules."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from golden_files import SAMPLES, needs_samples
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.score import ScoreRun, run_score
from seal.evaluation.sources.rows import ListedRows

TEN = ["red"] * 3 + ["dark red"] * 7


def picture(size=(4, 3)):
    made = io.BytesIO()
    Image.new("RGB", size).save(made, "PNG")
    return {"bytes": made.getvalue(), "path": None}


def gqa(answer="red", structural="query", **more):
    return {
        "question": "What color is the kite?", "imageId": "n1", "answer": answer,
        "isBalanced": True, "types": {"structural": structural}, **more,
    }  # fmt: skip


def textvqa(**more):
    return {"question_id": 7, "question": "What is it?", "image_id": "ab", "answers": TEN, **more}


def docvqa(**more):
    return {
        "questionId": 5, "question": "Who signed?", "image": "documents/x_1.png",
        "answers": ["A. Smith", "Smith"], "question_types": ["handwritten", "form"], **more,
    }  # fmt: skip


def vqa_question(**more):
    return {"question_id": 9001, "image_id": 9, "question": "How many?", **more}


def vqa_annotation(**more):
    answers = [{"answer": a, "answer_confidence": "yes", "answer_id": i} for i, a in enumerate(TEN)]
    return {"question_id": 9001, "image_id": 9, "answer_type": "other", "answers": answers, **more}


def aokvqa(**more):
    return {
        "question_id": "Q1", "question": "What for?", "image_id": 12, "split": "val",
        "choices": ["rain", "sun", "snow", "wind"], "correct_choice_idx": 1,
        "direct_answers": ["sun"] * 2 + ["heat"] * 8, "difficult_direct_answer": False, **more,
    }  # fmt: skip


def write(folder, task, *rows):
    """The official files of a task with these rows instead of one good one."""
    if task == "gqa":
        content = dict(enumerate(rows or (gqa(),), 1))
        files = {"testdev_balanced_questions.json": content}
    elif task == "textvqa":
        files = {"TextVQA_0.5.1_val.json": {"data": list(rows or (textvqa(),))}}
    elif task == "docvqa":
        files = {"val_v1.0_withQT.json": {"data": list(rows or (docvqa(),))}}
    elif task == "vqav2":
        asked, told = rows or ([vqa_question()], [vqa_annotation()])
        files = {
            "v2_OpenEnded_mscoco_val2014_questions.json": {"questions": asked},
            "v2_mscoco_val2014_annotations.json": {"annotations": told},
        }
    else:
        files = {"aokvqa_v1p0_val.json": list(rows or (aokvqa(),))}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder


PLACES = {
    "gqa": "images/n1.jpg", "textvqa": "train_images/ab.jpg", "docvqa": "documents/x_1.png",
    "vqav2": "val2014/COCO_val2014_000000000009.jpg", "aokvqa": "val2017/000000000012.jpg",
    "aokvqa_mc": "val2017/000000000012.jpg",
}  # fmt: skip
LABELS = {
    "gqa": ("red",), "textvqa": tuple(TEN), "docvqa": ("A. Smith", "Smith"),
    "vqav2": tuple(TEN), "aokvqa": ("sun",) * 2 + ("heat",) * 8, "aokvqa_mc": (),
}  # fmt: skip


def questions_of(folder, task):
    return task_named(task).task(str(folder), require_images=False).questions()


@pytest.mark.parametrize("task", PLACES)
def test_official_files_become_questions_with_labels_and_pictures(tmp_path, task):
    write(tmp_path, task)
    place = tmp_path / PLACES[task]
    place.parent.mkdir(parents=True)
    Image.new("RGB", (4, 3)).save(place)
    made = task_named(task).task(str(tmp_path))
    (question,) = made.questions()
    assert question.image == PLACES[task]
    assert made.images.open(question.image).size == (4, 3)
    assert question.labels == LABELS[task]
    if task == "aokvqa_mc":
        assert question.options[question.answer] == "sun"
    place.unlink()
    with pytest.raises(ValueError, match="1 of 1 questions have no image"):
        task_named(task).task(str(tmp_path)).questions()


def hub_rows(task):
    image = {"image": picture()}
    if task == "textvqa":
        return [textvqa() | image]
    if task == "docvqa":
        page = {"ucsf_document_id": "x", "ucsf_document_page_no": "1", "questionId": "5"}
        return [docvqa() | page | image]
    if task == "vqav2":
        return [vqa_question() | vqa_annotation() | image]
    return [aokvqa(direct_answers=repr(aokvqa()["direct_answers"])) | image]


@pytest.mark.parametrize("task", ["textvqa", "docvqa", "vqav2", "aokvqa", "aokvqa_mc"])
def test_the_hubs_rows_ask_the_same(tmp_path, task):
    rows = ListedRows("rows", hub_rows(task), [": row 1"])
    (question,), images = task_named(task).read_rows(rows)
    assert images.open(question.image).size == (4, 3)
    (local,) = questions_of(write(tmp_path, task), task)
    for part in ("id", "text", "labels", "options", "answer", "split"):
        assert getattr(question, part) == getattr(local, part)


def test_gqas_pictures_are_in_another_part_of_its_copy(tmp_path):
    base = tmp_path / "testdev_balanced"
    for part, rows in (
        ("_instructions", [{"id": "q1", **gqa()}, {"id": "q2", **gqa(structural="verify")}]),
        ("_images", [{"id": "n1", "image": picture((5, 2))}]),
    ):
        folder = base.with_name(base.name + part)
        folder.mkdir()
        file = folder / "testdev-00000-of-00001.parquet"
        pq.write_table(pa.Table.from_pylist(rows), file)
    made = task_named("gqa").task(str(tmp_path))
    assert [(q.id, q.split, q.labels) for q in made.questions()] == [
        ("q1", "open", ("red",)), ("q2", "binary", ("red",)),
    ]  # fmt: skip
    assert made.images.open("n1").size == (5, 2)
    alone = task_named("gqa").task(str(tmp_path / "testdev_balanced_instructions"))
    assert alone.images.open("n1").size == (5, 2)


def credit(task, text, folder, **more):
    spec = task_named(task)
    (question,) = questions_of(folder, task)
    line = {"scoring": "short_answer", "answer": {"text": text}, **more}
    return spec.judge(question, line)


@pytest.mark.parametrize(
    ("task", "text", "ours", "vicrop"),
    [
        ("gqa", "Red.", 1, 1),
        ("gqa", "dark red", 0, 1),
        ("textvqa", "Red", 0.9, 0.9),
        ("textvqa", "a dark red", 1, 1),
        ("vqav2", "red", 0.9, 0.9),
        ("docvqa", "a. smith", 1, 0),
        ("docvqa", "A. Smyth", 1 - 1 / 8, 0),
        ("docvqa", "signed by A. Smith", 0, 1),
        ("aokvqa", "Sun", 2 / 3, 0.6),
        ("aokvqa", "heat", 1, 1),
    ],
)
def test_answers_earn_what_the_benchmark_gives_and_under_vicrops_name_what_it_gives(
    tmp_path, task, text, ours, vicrop
):
    folder = write(tmp_path, task)
    assert credit(task, text, folder)["credit"] == pytest.approx(ours)
    assert credit(task, text, folder, scoring="vicrop")["credit"] == pytest.approx(vicrop)


@pytest.mark.parametrize("task", ["gqa", "textvqa", "docvqa", "vqav2", "aokvqa"])
def test_nothing_said_is_invalid_and_earns_nothing(tmp_path, task):
    folder = write(tmp_path, task)
    for answer in ({"text": " "}, {"text": None}, None):
        judged = credit(task, "", folder, answer=answer)
        assert (judged["credit"], judged["invalid"], judged["chosen"]) == (0, True, None)
    empty = credit(task, "", folder, scoring="vicrop")
    assert (empty["credit"], empty["invalid"]) == (1.0 if task == "docvqa" else 0.0, True)


def test_questions_too_difficult_to_answer_in_words_are_asked_with_choices_alone(tmp_path):
    rows = aokvqa(), aokvqa(question_id="Q2", difficult_direct_answer=True)
    folder = write(tmp_path, "aokvqa", *rows)
    assert [q.id for q in questions_of(folder, "aokvqa")] == ["Q1"]
    assert [q.id for q in questions_of(folder, "aokvqa_mc")] == ["Q1", "Q2"]
    said = {"Q1": {"direct_answer": "sun", "multiple_choice": "sun"},
            "Q2": {"direct_answer": "sun", "multiple_choice": "wind"}}  # fmt: skip
    answers = tmp_path / "leaderboard.json"
    answers.write_text(json.dumps(said))
    found = {
        task: run_score(
            ScoreRun(
                task=task, answers=str(answers), annotations=str(folder), out=str(tmp_path / task)
            )
        )["systems"]["answers"]["overall"]["accuracy"]
        for task in ("aokvqa", "aokvqa_mc")
    }
    assert found["aokvqa"]["value"] == pytest.approx(2 / 3)
    assert (found["aokvqa_mc"]["value"], found["aokvqa_mc"]["n"]) == (0.5, 2)
    answers.write_text(json.dumps({"Q9": {"direct_answer": "sun"}}))
    with pytest.raises(ValueError, match="Q9"):
        run_score(
            ScoreRun(
                task="aokvqa", answers=str(answers), annotations=str(folder), out=str(tmp_path)
            )
        )


def test_a_choice_that_is_a_letter_is_that_choice_and_not_its_place(tmp_path):
    rows = [aokvqa(question_id=f"Q{i}", choices=["B", "A", "d", "C"], correct_choice_idx=i)
            for i in range(4)]  # fmt: skip
    folder = write(tmp_path, "aokvqa", *rows)
    answers = tmp_path / "leaderboard.json"
    for said in ("BAdC", "CBAd"):
        content = {f"Q{i}": {"multiple_choice": word} for i, word in enumerate(said)}
        answers.write_text(json.dumps(content))
        run = ScoreRun(
            task="aokvqa_mc", answers=str(answers), annotations=str(folder), out=str(tmp_path / "o")
        )
        accuracy = run_score(run)["systems"]["answers"]["overall"]["accuracy"]
        assert (accuracy["value"], accuracy["invalid"]) == (float(said == "BAdC"), 0)


@pytest.mark.parametrize("scoring", [None, "string", "letter", "letter_llava"])
def test_a_recorded_choice_is_that_choice_by_whatever_scoring(tmp_path, scoring):
    folder = write(tmp_path, "aokvqa", aokvqa(correct_choice_idx=1))
    name, said = aokvqa()["question_id"], aokvqa()["choices"][1]
    answers = tmp_path / "leaderboard.json"
    answers.write_text(json.dumps({name: {"multiple_choice": said}}))
    metrics = run_score(
        ScoreRun(
            task="aokvqa_mc", answers=str(answers), annotations=str(folder),
            out=str(tmp_path / "o"), scoring=scoring,
        )
    )  # fmt: skip
    accuracy = metrics["systems"]["answers"]["overall"]["accuracy"]
    assert (accuracy["value"], accuracy["invalid"]) == (1, 0)


def test_only_the_balanced_part_of_gqa_is_asked(tmp_path):
    folder = write(tmp_path, "gqa", gqa(), gqa(isBalanced=False), gqa(structural="verify"))
    assert [(q.id, q.split) for q in questions_of(folder, "gqa")] == [
        ("1", "open"),
        ("3", "binary"),
    ]


def test_every_type_of_a_page_is_a_split(tmp_path):
    folder = write(tmp_path, "docvqa")
    task = task_named("docvqa").task(str(folder), require_images=False)
    (question,) = task.questions()
    assert task.splits_of(question) == ("handwritten", "form", "overall")


@pytest.mark.parametrize(
    ("task", "rows", "says"),
    [
        ("gqa", [gqa(answer=None)], r"questions\.json: .*1.*: answer=null"),
        ("gqa", [gqa(types={"structural": 3})], r"types\.structural=3"),
        ("gqa", [{"question": "?"}], r"lacks imageId, answer"),
        ("gqa", [gqa(isBalanced=False)], "no balanced questions"),
        ("textvqa", [textvqa(answers="red")], r"entry 1: answers=.*red.*: expected a list"),
        ("textvqa", [textvqa(answers=[""] * 10)], r"entry 1: answers=.*a label \(test sets have"),
        ("textvqa", [textvqa(), textvqa()], r"entry 2: question_id=.*7.*an id of its own"),
        ("docvqa", [docvqa(answers=None)], r"entry 1: answers=null"),
        ("docvqa", [docvqa(question_types="form")], r"entry 1: question_types=.*form"),
        ("vqav2", ([vqa_question()], [vqa_annotation(question_id=1)]),
         r"questions\.json: entry 1: question_id=.*9001.*a question with labels"),
        ("vqav2", ([vqa_question()], [vqa_annotation(), vqa_annotation(question_id=2)]),
         r"annotations\.json: entry 2: question_id=.*2.*a question of"),
        ("vqav2", ([vqa_question()], [vqa_annotation(image_id=8)]), r"entry 1: image_id=8"),
        ("vqav2", ([vqa_question()], [vqa_annotation(answer_type="any")]), r"answer_type=.*any"),
        ("vqav2", ([vqa_question()], [vqa_annotation(answers=["red"])]), r"answers=.*red.*answer"),
        ("vqav2", ([vqa_question(image_id="x")], [vqa_annotation()]), r"image_id=.*whole number"),
        ("aokvqa", [aokvqa(direct_answers="('sun'")], r"entry 1: direct_answers="),
        ("aokvqa", [aokvqa(difficult_direct_answer="no")], r"difficult_direct_answer=.*true or"),
        ("aokvqa_mc", [aokvqa(correct_choice_idx=4)], r"correct_choice_idx=4: expected 0 to 3"),
        ("aokvqa_mc", [aokvqa(choices=["sun", "Sun"])], r"choices=.*different options"),
    ],
)  # fmt: skip
def test_malformed_rows_are_named(tmp_path, task, rows, says):
    with pytest.raises(ValueError, match=says) as raised:
        questions_of(write(tmp_path, task, *rows), task)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("task", ["gqa", "textvqa", "docvqa", "vqav2", "aokvqa"])
def test_a_folder_without_the_files_says_which_are_needed(tmp_path, task):
    with pytest.raises(ValueError, match=r"\.json"):
        questions_of(tmp_path, task)


def test_llavas_answers_find_questions_by_id_or_by_picture_and_words(tmp_path):
    folder = write(
        tmp_path / "textvqa", "textvqa", textvqa(), textvqa(question_id=8, question="Who?")
    )
    rows = [
        {"question_id": "ab", "prompt": f"{text}\nReference OCR token: x\nAnswer ...", "text": said,
         "model_id": "m"}
        for text, said in (("Who?", "red"), ("What is it?", "dark red"))
    ]  # fmt: skip
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = ScoreRun(
        task="textvqa", answers=str(answers), annotations=str(folder), out=str(tmp_path / "out")
    )
    found = run_score(run)["systems"]["answers"]["overall"]["accuracy"]
    assert (found["value"], found["n"], found["invalid"]) == (pytest.approx(0.95), 2, 0)


@needs_samples
def test_an_official_record_of_gqa_is_read(tmp_path):
    record = json.loads((SAMPLES / "gqa" / "gqa_question_1record.json").read_text())
    (tmp_path / "testdev_balanced_questions.json").write_text(json.dumps(record))
    (question,) = questions_of(tmp_path, "gqa")
    assert (question.image, question.split, question.labels) == (
        "n578564.jpg",
        "open",
        ("picture",),
    )
