"""MME: pairs of questions, its three forms of files, and folders of other systems' answers."""

from __future__ import annotations

import io
import json

import pytest
from golden_files import SAMPLES, needs_samples
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.score import ScoreRun, run_score
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.sources.rows import ListedRows
from seal.metrics.mme import CATEGORIES

ASK = " Please answer yes or no."


def write_texts(folder, said=None, categories=("color", "OCR")):
    """Two images a category. said: (category, number of the line) -> what the answer is."""
    folder.mkdir(parents=True, exist_ok=True)
    for category in categories:
        lines = []
        for number in range(4):
            fields = [
                f"{number // 2}.jpg", f"Is it {'ab'[number % 2]}?{ASK}", ("Yes", "No")[number % 2],
            ]  # fmt: skip
            lines.append("\t".join(fields + ([said(category, number)] if said else [])))
        (folder / f"{category}.txt").write_text("\n".join(lines) + "\n")
    return folder


def score(tmp_path, answers, annotations=None):
    told = None if annotations is None else str(annotations)
    run = ScoreRun(task="MME", answers=str(answers), annotations=told, out=str(tmp_path / "out"))
    return run_score(run)["systems"]["answers"]


def test_the_release_is_read_with_its_pictures(tmp_path):
    flat, split = tmp_path / "color", tmp_path / "scene"
    for folder in (flat, split / "images", split / "questions_answers_YN"):
        folder.mkdir(parents=True)
    for picture in (flat / "x.png", split / "images" / "y.jpg"):
        Image.new("RGB", (3, 2)).save(picture)
    for text in (flat / "x.txt", split / "questions_answers_YN" / "y.txt"):
        text.write_text(f"Is it red?{ASK}\tYes\nIs it blue?  Please answer yes or no.\tNo\n")
    task = task_named("mme").task(str(tmp_path))
    questions = task.questions()
    assert [(q.split, q.image, q.text, q.labels) for q in questions] == [
        ("color", "color/x.png", "Is it red?", ("yes",)),
        ("color", "color/x.png", "Is it blue?", ("no",)),
        ("scene", "scene/images/y.jpg", "Is it red?", ("yes",)),
        ("scene", "scene/images/y.jpg", "Is it blue?", ("no",)),
    ]
    assert task.images.open("scene/images/y.jpg").size == (3, 2)
    assert task.splits_of(questions[0]) == ("color", "perception", "overall")


def test_a_question_is_put_as_the_benchmark_words_it(tmp_path):
    question = (
        task_named("mme").task(str(write_texts(tmp_path)), require_images=False).questions()[0]
    )
    assert scoring_named("yes_no").wordings(question, 0)[0].text == f"Is it a?{ASK}"


def test_the_hubs_rows_make_the_same_pairs():
    picture = io.BytesIO()
    Image.new("RGB", (2, 2)).save(picture, "PNG")
    rows = [
        {"question_id": f"OCR/{image}.png", "image": {"bytes": picture.getvalue(), "path": None},
         "question": f"Is it {thing}?{ASK}", "answer": answer, "category": "OCR"}
        for image in "xy" for thing, answer in (("a", "Yes"), ("b", "No"))
    ]  # fmt: skip
    listed = ListedRows("rows", rows, [f": row {i}" for i in range(len(rows))])
    questions, images = task_named("mme").read_rows(listed)
    assert [q.image for q in questions] == ["OCR/x.png", "OCR/x.png", "OCR/y.png", "OCR/y.png"]
    assert images.open("OCR/y.png").size == (2, 2)
    with pytest.raises(ValueError, match=r"row 2: 'OCR/y\.png' has 1 question: one half"):
        task_named("mme").read_rows(ListedRows("rows", rows[:3], [f": row {i}" for i in range(3)]))


def test_scores_by_hand(tmp_path):
    """color: first image both right, second one of two; OCR: nothing right, half unreadable."""
    color = ["Yes, it is", "No", "yes", "Yes it is"]
    said = write_texts(
        tmp_path / "x", lambda c, n: color[n] if c == "color" else ("no", "The answer is no")[n % 2]
    )
    found = score(tmp_path, said)
    assert list(found) == ["color", "OCR", "perception", "overall"]
    assert found["color"]["score"]["value"] == 100 * 3 / 4 + 100 * 1 / 2
    assert (found["OCR"]["score"]["value"], found["OCR"]["score"]["invalid"]) == (0, 2)
    assert found["color"]["accuracy_plus"]["n"] == 2
    # A sum over two of ten categories would look like a low score.
    assert found["perception"]["score"]["value"] is None
    assert len(found["perception"]["missing_categories"]) == 8


def test_a_sum_is_there_where_every_category_is(tmp_path):
    said = write_texts(tmp_path / "x", lambda c, n: ("yes", "no")[n % 2], CATEGORIES)
    found = score(tmp_path, said)
    assert found["perception"]["score"]["value"] == 2000
    assert found["cognition"]["score"]["value"] == 800
    assert found["overall"]["score"]["value"] == 2800
    assert "missing_categories" not in found["overall"]


def test_half_a_pair_of_a_limited_run_is_told_and_left_out(tmp_path):
    task = task_named("mme").task(str(write_texts(tmp_path)), limit=3, require_images=False)
    lines = [
        {"question": q.to_dict(), "system": "x", "scoring": "yes_no", "answer": {"text": "yes"}}
        for q in task.questions()
    ]
    found = task.metrics(lines)["color"]
    assert (found["unpaired"], found["score"]["n"], found["score"]["value"]) == (1, 2, 50)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1.jpg\tIs it b?", r"color\.txt:4 has 2 fields: expected 4, with tabs between image"),
        ("1.jpg\tIs it b?\tNo\tno\tno", r"color\.txt:4 has 5 fields"),
        ("1.jpg\tIs it b?\tPerhaps\tno", r"color\.txt:4: answer=.*Perhaps.*: expected Yes or No"),
        ("2.jpg\tIs it b?\tNo\tno", r"color\.txt:3: 'color/1\.jpg' has 1 question: one half"),
        (
            "1.jpg\tIs it a?\tYes\tno",
            r"color\.txt:4: .*Is it a.* is asked of 'color/1\.jpg' already",
        ),
        ("", r"color\.txt:3: 'color/1\.jpg' has 1 question: one half of a pair is missing"),
        ("\tIs it b?\tNo\tno", r"color\.txt:4 names no image"),
        ("1.jpg\t \tNo\tno", r"color\.txt:4 has no question"),
    ],
)
def test_malformed_answers_are_named(tmp_path, line, says):
    folder = write_texts(tmp_path / "x", lambda c, n: "no")
    lines = (folder / "color.txt").read_text().split("\n")
    (folder / "color.txt").write_text("\n".join([*lines[:3], line]) + "\n")
    with pytest.raises(ValueError, match=says):
        score(tmp_path, folder)


def test_an_answer_file_cannot_call_another_answer_right(tmp_path):
    bench = write_texts(tmp_path / "bench")
    said = write_texts(tmp_path / "x", lambda c, n: "no")
    assert score(tmp_path, said, bench)["color"]["accuracy"]["value"] == 0.5
    text = (said / "OCR.txt").read_text().replace("\tNo\t", "\tYes\t", 1)
    (said / "OCR.txt").write_text(text)
    with pytest.raises(ValueError, match=r"OCR\.txt:2: yes is called right, but .* OCR/0\.jpg#2"):
        score(tmp_path, said, bench)


def test_llavas_lines_are_found_by_picture_and_words(tmp_path):
    bench = write_texts(tmp_path / "bench")
    rows = [
        {"question_id": f"{c}/images/{n // 2}.png", "text": "Yes", "model_id": "m",
         "prompt": f"Is it {'ab'[n % 2]}?\nAnswer the question using a single word or phrase."}
        for c in ("OCR", "color") for n in (3, 0, 1, 2)
    ]  # fmt: skip
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = score(tmp_path, answers, bench)
    assert found["color"]["accuracy"]["value"] == found["OCR"]["accuracy"]["value"] == 0.5
    assert found["overall"]["accuracy"]["invalid"] == 0
    answers.write_text(json.dumps(rows[0] | {"prompt": "Is it c?"}) + "\n")
    with pytest.raises(
        ValueError, match=r"answers\.jsonl:1: .*Is it c.* of OCR/images/1\.png is no"
    ):
        score(tmp_path, answers, bench)


def test_vlmevalkits_table_is_found_by_picture_and_words(tmp_path):
    bench = write_texts(tmp_path / "bench")
    lines = ["index\timage_path\tquestion\tanswer\tcategory\tprediction"]
    for number, (c, n) in enumerate((c, n) for c in ("OCR", "color") for n in (3, 0, 1, 2)):
        truth, asked = ("Yes", "No")[n % 2], f"Is it {'ab'[n % 2]}?{ASK}"
        said = truth if c == "OCR" else "Yes"
        lines.append(f"{number}\t{c}/{n // 2}.png\t{asked}\t{truth}\t{c}\t{said}")
    answers = tmp_path / "MODEL_MME.tsv"
    answers.write_text("\n".join(lines) + "\n")
    found = score(tmp_path, answers, bench)
    assert [found[c]["score"]["value"] for c in ("OCR", "color")] == [200, 50]
    answers.write_text("\n".join([*lines[:2], lines[2].replace("\tYes\t", "\tNo\t")]) + "\n")
    with pytest.raises(ValueError, match=r"MODEL_MME\.tsv:3: answer='No', but the benchmark's to"):
        score(tmp_path, answers, bench)


@needs_samples
def test_the_published_scores_of_a_recorded_run_come_out_to_the_last_digit(tmp_path):
    folder = SAMPLES / "mme"
    found = score(tmp_path, folder / "llava-v1.5-7b")
    told: dict[str, float] = {}
    published = (folder / "expected_llava-v1.5-7b_MME_results.txt").read_text().split("\n")
    for line in published:
        name, _, value = line.strip().rpartition(" score: ")
        if name and name != "total":
            told[name] = float(value)
    assert {name: found[name]["score"]["value"] for name in told} == told
    assert len(told) == 14
    assert found["perception"]["score"]["value"] == 1508.6726137691257
    assert found["cognition"]["score"]["value"] == 355.7142857142857


@needs_samples
def test_the_official_template_is_read_whole():
    folder = SAMPLES / "mme" / "gt_template"
    questions = task_named("mme").task(str(folder), require_images=False).questions()
    assert len(questions) == len({q.id for q in questions}) == 2370
    assert not any("yes or no" in q.text for q in questions)
    assert sum(q.labels == ("yes",) for q in questions) == 1185
