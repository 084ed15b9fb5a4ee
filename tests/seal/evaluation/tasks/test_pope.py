"""POPE: its editions, LLaVA's question file, and answers that are joined by id, words or place."""

from __future__ import annotations

import io
import json
from itertools import product

import pytest
from golden_files import SAMPLES, needs_samples
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.score import ScoreRun, run_score
from seal.evaluation.sources.rows import ListedRows

BASES = {"adversarial": 0, "random": 10_000_000, "popular": 20_000_000}
REQUEST = "\nAnswer the question using a single word or phrase."


def question(thing):
    return f"Is there a {thing} in the image?"


def pope_rows(category):
    """Two images, a thing that is there and one that is not; other ones in each category."""
    absent = {"random": "sled", "popular": "chair", "adversarial": "lamp"}[category]
    asked = product(("a.jpg", "b.jpg"), ("kite", absent))
    for number, (image, thing) in enumerate(asked, 1):
        label = "yes" if thing == "kite" else "no"
        yield {
            "question_id": number,
            "image": image,
            "text": question(thing),
            "label": label,
        }


def jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_pope(folder, categories=("random", "popular", "adversarial")):
    for category in categories:
        jsonl(folder / "coco" / f"coco_pope_{category}.json", pope_rows(category))
    return folder


def llava_rows():
    """In LLaVA's order and wording, the slip of its edition included."""
    for category in BASES:
        for row in pope_rows(category):
            yield {
                "question_id": BASES[category] + row["question_id"],
                "image": row["image"],
                "text": row["text"].replace("image?", "imange?") + REQUEST,
                "category": category,
            }


def llava_answers(said):
    return [
        {"question_id": row["question_id"], "prompt": row["text"], "text": text, "model_id": "x"}
        for row, text in zip(llava_rows(), said, strict=True)
    ]


def score(tmp_path, answers, annotations=None, **more):
    told = None if annotations is None else str(annotations)
    run = ScoreRun(
        task="pope", answers=str(answers), annotations=told, out=str(tmp_path / "out"), **more
    )
    return run_score(run)["systems"]["answers"]


def test_files_become_yes_or_no_questions_category_by_category(tmp_path):
    task = task_named("pope").task(str(write_pope(tmp_path)), require_images=False)
    questions = task.questions()
    assert [q.id for q in questions][:5] == [
        "random/1", "random/2", "random/3", "random/4", "popular/1",
    ]  # fmt: skip
    assert [q.labels for q in questions][:4] == [("yes",), ("no",)] * 2
    assert task.splits_of(questions[0]) == ("random", "overall")


def test_pictures_are_found_where_coco_has_them_and_missed_where_they_are_not(tmp_path):
    write_pope(tmp_path)
    (tmp_path / "val2014").mkdir()
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (4, 3)).save(tmp_path / "val2014" / name)
    task = task_named("pope").task(str(tmp_path))
    assert {q.image for q in task.questions()} == {"val2014/a.jpg", "val2014/b.jpg"}
    assert task.images.open("val2014/a.jpg").size == (4, 3)
    (tmp_path / "val2014" / "b.jpg").unlink()
    with pytest.raises(ValueError, match=r"6 of 12 questions have no image, .* b\.jpg"):
        task_named("pope").task(str(tmp_path)).questions()


def test_the_hubs_rows_ask_the_same(tmp_path):
    picture = io.BytesIO()
    Image.new("RGB", (5, 2)).save(picture, "PNG")
    rows = [
        {
            "id": str(number),
            "question_id": str(row["question_id"]),
            "question": row["text"],
            "answer": row["label"],
            "image_source": row["image"].removesuffix(".jpg"),
            "image": {"bytes": picture.getvalue(), "path": None},
            "category": category,
        }
        for category in BASES
        for number, row in enumerate(pope_rows(category))
    ]
    listed = ListedRows("rows", rows, [f": row {i}" for i in range(len(rows))])
    questions, images = task_named("pope").read_rows(listed)
    local = task_named("pope").task(str(write_pope(tmp_path)), require_images=False).questions()
    assert {(q.id, q.text, q.image, q.labels) for q in questions} == {
        (q.id, q.text, q.image, q.labels) for q in local
    }
    assert images.has("a.jpg") and images.open("b.jpg").size == (5, 2)


def test_numbers_by_hand(tmp_path):
    """random: yes yes yes no -> 2 hits of 3 called and 2 there; all others "no"."""
    write_pope(tmp_path, ("random", "popular"))
    said = {"random": ["Yes.", "yes", "There is a kite", "no"], "popular": ["No"] * 3 + [""]}
    rows = [
        {"category": category, "question_id": number, "answer": text}
        for category, texts in said.items()
        for number, text in enumerate(texts, 1)
    ]
    found = score(tmp_path, jsonl(tmp_path / "answers.jsonl", rows), tmp_path)
    random = {name: m["value"] for name, m in found["random"].items() if isinstance(m, dict)}
    assert random == pytest.approx(
        {"accuracy": 3 / 4, "precision": 2 / 3, "recall": 1, "f1": 0.8, "yes": 3 / 4}
    )
    assert found["random"]["assumed_yes"] == 1  # it says neither word
    assert found["popular"]["accuracy"]["value"] == 1 / 4  # the empty answer is no "no"
    assert (found["popular"]["accuracy"]["invalid"], found["popular"]["f1"]["value"]) == (1, 0)
    assert found["overall"]["f1_mean"]["value"] == pytest.approx(0.4)
    assert found["overall"]["accuracy"]["n"] == 8
    assert found["overall"]["f1"]["low"] <= found["overall"]["f1"]["value"]


SAID = ["Yes", "No", "Yes", "Yes", "Yes", "Yes", "No", "No", "Yes", "No", "No", "No"]


def truth_of_said():
    labels = [row["label"] for category in BASES for row in pope_rows(category)]
    return sum(a.lower() == b for a, b in zip(SAID, labels, strict=True)) / len(SAID)


def test_llavas_answers_are_found_by_its_question_file_or_by_its_numbers(tmp_path):
    answers = jsonl(tmp_path / "answers" / "x.jsonl", llava_answers(SAID))
    labels = write_pope(tmp_path / "labels")
    both = write_pope(tmp_path / "both")
    jsonl(both / "llava_pope_test.jsonl", llava_rows())
    for benchmark in (labels, both):
        found = score(tmp_path, answers, benchmark)
        assert found["overall"]["accuracy"]["value"] == truth_of_said()
        assert found["adversarial"]["accuracy"]["value"] == 3 / 4
    shuffled = jsonl(tmp_path / "answers" / "y.jsonl", reversed(llava_answers(SAID)))
    assert score(tmp_path, shuffled, both)["overall"]["accuracy"]["value"] == truth_of_said()


@pytest.mark.parametrize("columns", [
    ("question_id", "category", "text"), ("question_id", "split", "answer"),
    ("question_id", "text"), ("category", "text"), ("question_id", "category", "text", "label"),
    ("category", "question", "prediction", "answer"),
])  # fmt: skip
def test_tables_of_answers_are_joined(tmp_path, columns):
    labels = [row["label"] for category in BASES for row in pope_rows(category)]
    lines = ["\t".join(columns)]
    for row, text, label in zip(llava_rows(), SAID, labels, strict=True):
        cells = {
            "question_id": str(row["question_id"]),
            "category": row["category"],
            "split": row["category"],
            "text": text,
            "prediction": text,
            "answer": label if "prediction" in columns else text,
            "label": label,
            "question": row["text"].partition("\n")[0],
        }
        lines.append("\t".join(cells[column] for column in columns))
    answers = tmp_path / "answers.tsv"
    answers.write_text("\n".join(lines) + "\n")
    found = score(tmp_path, answers, write_pope(tmp_path / "pope"))
    assert found["overall"]["accuracy"]["value"] == truth_of_said()
    if {"label", "answer"} & set(columns) and "split" not in columns:
        alone = score(tmp_path, answers)
        assert alone["overall"]["accuracy"]["value"] == truth_of_said()


@pytest.mark.parametrize("with_doc", [True, False])
def test_lmms_evals_samples_are_found_by_category_or_by_the_words_of_their_block(
    tmp_path, with_doc
):
    rows, labels = [], []
    for category in ("popular", "adversarial", "random"):  # not the order of the files
        for row in pope_rows(category):
            own = str(row["question_id"])
            doc = {
                "id": len(rows),
                "question_id": own,
                "question": row["text"],
                "image": "gone",
                "answer": row["label"],
                "image_source": row["image"][:-4],
                "category": category,
            }
            said = SAID[len(rows)]
            sample = {
                "doc_id": len(rows),
                "target": row["label"],
                "filtered_resps": [said],
                "input": row["text"] + REQUEST,
                "pope_accuracy": {"question_id": own},
            }
            rows.append(sample | ({"doc": doc} if with_doc else {}))
            labels.append((category, said.lower() == row["label"]))
    pope = write_pope(tmp_path / "pope")
    found = score(tmp_path, jsonl(tmp_path / "samples.jsonl", rows), pope)
    assert found["overall"]["accuracy"]["invalid"] == 0
    for category in BASES:
        right = [good for of, good in labels if of == category]
        assert found[category]["accuracy"]["value"] == sum(right) / 4
    rows[6]["input"] = question("owl") + REQUEST
    rows[6].get("doc", {})["question"] = question("owl")
    with pytest.raises(ValueError, match=r"samples\.jsonl:7: question=.*owl.* has .*kite"):
        score(tmp_path, jsonl(tmp_path / "samples.jsonl", rows), pope)
    if not with_doc:  # an image's thing is asked for in all categories
        with pytest.raises(ValueError, match=r"one\.jsonl:1: '1' may be any of"):
            score(tmp_path, jsonl(tmp_path / "one.jsonl", rows[:1]), pope)


def test_a_row_of_vlmevalkit_may_stand_for_several_categories(tmp_path):
    cells = {}
    for category in ("adversarial", "random", "popular"):
        for row in reversed(list(pope_rows(category))):
            key = (row["image"], row["text"], row["label"])
            cells.setdefault(key, []).append(category)
    lines = ["index\timage_path\tquestion\tanswer\tcategory\tprediction"]
    for number, ((image, text, label), of) in enumerate(cells.items()):
        said = "No" if label == "no" or image == "a.jpg" else "Yes"
        told = f"{text} Please answer yes or no."
        lines.append(f"{number}\t{image}\t{told}\t{label.title()}\t{','.join(of)}\t{said}")
    assert len(cells) == 8
    answers = tmp_path / "MODEL_POPE.tsv"
    answers.write_text("\n".join(lines) + "\n")
    for benchmark in (write_pope(tmp_path / "pope"), None):
        found = score(tmp_path, answers, benchmark)
        assert [found[c]["accuracy"]["value"] for c in BASES] == [0.75] * 3
        assert (found["overall"]["accuracy"]["n"], found["overall"]["f1"]["value"]) == (12, 2 / 3)
    failed = "\tFailed to obtain answer via API."
    lines = [line.removesuffix("\tNo") + failed * line.endswith("\tNo") for line in lines]
    answers.write_text("\n".join(lines) + "\n")
    found = score(tmp_path, answers, tmp_path / "pope")
    assert found["overall"]["accuracy"]["value"] == 0.25  # a failure is no "yes"
    assert found["overall"]["accuracy"]["invalid"] == 9


def test_a_file_for_each_category_says_which_it_is(tmp_path):
    for category in BASES:
        rows = [{"question": row["text"], "answer": "Yes"} for row in pope_rows(category)]
        jsonl(tmp_path / "said" / f"coco_pope_{category}.json", rows)
    found = score(tmp_path, tmp_path / "said", write_pope(tmp_path / "pope"))
    assert found["overall"]["recall"]["value"] == 1.0
    assert found["overall"]["yes"]["value"] == 1.0
    assert found["random"]["accuracy"]["n"] == 4


def test_unanswered_questions_count_as_invalid(tmp_path):
    rows = [{"category": "random", "question_id": 1, "answer": "yes"}]
    found = score(tmp_path, jsonl(tmp_path / "a.jsonl", rows), write_pope(tmp_path))
    assert found["random"]["accuracy"]["value"] == 1 / 4
    assert found["random"]["accuracy"]["invalid"] == 3
    assert found["popular"]["accuracy"]["value"] == 0


def broken(change):
    rows = [
        {"category": c, "question_id": r["question_id"], "question": r["text"], "answer": "no"}
        for c in BASES
        for r in pope_rows(c)
    ]
    change(rows)
    return rows


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows[1].update(category="rare"), r':2: category="rare": expected one of'),
        (lambda rows: rows[2].update(question_id=9), r":3: '?\"?9\"?'? is no question of advers"),
        (lambda rows: rows[2].update(question="Is there an owl in the image?"),
         r":3: question=.*owl.* has .*kite"),
        (lambda rows: rows[1].update(label="yes"), r":2: label=.*yes.* has .*no"),
        (lambda rows: rows[1].update(label="maybe"), r':2: label="maybe": expected yes or no'),
        (lambda rows: rows[1].update(question_id=1, question=rows[0]["question"]),
         r":2 answers .*adversarial/1.*:1 did"),
        (lambda rows: rows[3].update(answer=["no"]), r":4: answer=.*expected a text"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_joined_are_named(tmp_path, change, says):
    answers = jsonl(tmp_path / "a.jsonl", broken(change))
    write_pope(tmp_path)
    with pytest.raises(ValueError, match=says):
        score(tmp_path, answers, tmp_path)


def test_a_text_is_the_question_or_the_answer_by_what_stands_beside_it(tmp_path):
    write_pope(tmp_path, ("random",))
    answers = tmp_path / "said" / "coco_pope_random.jsonl"
    official = [{**row, "answer": "no"} for row in pope_rows("random")]  # POPE's rows, answered
    assert score(tmp_path, jsonl(answers, official), tmp_path)["overall"]["yes"]["value"] == 0
    harness = [
        {"question": row["text"], "answer": row["label"], "text": "no"}
        for row in pope_rows("random")
    ]
    assert score(tmp_path, jsonl(answers, harness), tmp_path)["overall"]["yes"]["value"] == 0
    either = [{"text": row["text"], "answer": "no"} for row in pope_rows("random")]
    with pytest.raises(ValueError, match=":1 has text and answer: call what was said prediction"):
        score(tmp_path, jsonl(answers, either), tmp_path)


def test_a_file_of_questions_is_no_file_of_answers(tmp_path):
    pope = write_pope(tmp_path / "pope")
    with pytest.raises(ValueError, match=r"random\.json:1: the answer is the question itself"):
        score(tmp_path, pope / "coco" / "coco_pope_random.json", pope)
    asked = jsonl(tmp_path / "llava_pope_test.jsonl", llava_rows())
    with pytest.raises(ValueError, match=r"test\.jsonl:\d+: the answer is the question itself"):
        score(tmp_path, asked, pope)


def test_answers_to_the_other_edition_are_refused(tmp_path):
    answers = jsonl(tmp_path / "answers" / "x.jsonl", llava_answers(SAID))
    write_pope(tmp_path)
    more = [*pope_rows("random"), {**next(pope_rows("random")), "question_id": 5, "image": "c.jpg"}]
    jsonl(tmp_path / "coco" / "coco_pope_random.json", more)
    with pytest.raises(ValueError, match=r"x\.jsonl:5: random has 5 questions here and 4 answers"):
        score(tmp_path, answers, tmp_path)
    other = [{**row, "text": row["text"].replace("kite", "owl")} for row in llava_rows()]
    jsonl(tmp_path / "llava_pope_test.jsonl", other)
    with pytest.raises(ValueError, match=r"llava_pope_test\.jsonl:1: .*owl.* is no question of"):
        score(tmp_path, answers, tmp_path)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"label": "perhaps"}, r'random\.json:2: label="perhaps": expected yes or no'),
        ({"question_id": 1}, r"random\.json:2: .*random/1.*an id of its own; .*:1 has it"),
        ({"text": " "}, r"random\.json:2: text"),
        ({"image": None}, r"random\.json:2: image=null"),
    ],
)
def test_malformed_questions_are_named(tmp_path, row, says):
    rows = list(pope_rows("random"))
    rows[1] |= row
    jsonl(tmp_path / "coco_pope_random.json", rows)
    with pytest.raises(ValueError, match=says):
        task_named("pope").task(str(tmp_path)).questions()


def test_two_data_sets_in_one_folder_are_not_mixed(tmp_path):
    for name in ("coco_pope_random.json", "gqa_pope_popular.json"):
        jsonl(tmp_path / name, pope_rows("random"))
    with pytest.raises(ValueError, match="questions of coco_, gqa_"):
        task_named("pope").task(str(tmp_path)).questions()


def test_put_as_vicrop_puts_it_an_answer_is_judged_as_vicrop_does(tmp_path):
    rows = [{"category": "random", "question_id": n, "answer": ""} for n in range(1, 5)]
    answers = jsonl(tmp_path / "a.jsonl", rows)
    write_pope(tmp_path, ("random",))
    ours, theirs = (score(tmp_path, answers, tmp_path, scoring=s) for s in (None, "vicrop"))
    assert ours["overall"]["accuracy"]["value"] == 0.0
    assert theirs["overall"]["accuracy"]["value"] == 0.5  # to them nothing is a "yes"
    assert ours["overall"]["accuracy"]["invalid"] == theirs["overall"]["accuracy"]["invalid"] == 4


@needs_samples
def test_todays_edition_is_read_whole():
    questions = task_named("pope").task(str(SAMPLES / "pope"), require_images=False).questions()
    assert len(questions) == len({q.id for q in questions}) == 9000
    assert {split: sum(q.split == split for q in questions) for split in BASES} == dict.fromkeys(
        BASES, 3000
    )
    assert len({q.cluster for q in questions}) == 500
    assert sum(q.labels == ("yes",) for q in questions) == 4500
