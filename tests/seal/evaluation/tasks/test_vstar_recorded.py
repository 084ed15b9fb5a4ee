from __future__ import annotations

import json

import pytest
from golden_files import SAMPLES, needs_samples
from vstar_folder import ANNOTATIONS, write_bench

from seal.evaluation.score import ScoreRun, run_score

ROWS = [
    {key: a[key] for key in ("target_object", "bbox", "question", "options")}
    | {"input_image": f"{name}.jpg", "test_type": name.partition("/")[0], "output": place}
    for (name, a), place in zip(ANNOTATIONS.items(), (0, 1, 0, None), strict=True)
    if None not in a["bbox"]
]


def score(tmp_path, rows, **options):
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run_score(ScoreRun(answers=str(path), out=str(tmp_path / "out"), **options))


def test_answers_that_bring_their_questions_need_no_benchmark(tmp_path):
    alone = score(tmp_path, ROWS)
    of = alone["systems"]["answers"]
    assert {split: m["accuracy"]["value"] for split, m in of.items()} == {
        "attribute": 0.5, "spatial": 1, "overall": pytest.approx(2 / 3),
    }  # fmt: skip
    bench = write_bench(tmp_path / "bench", images=False)
    (bench / "relative_position" / "d.json").unlink()
    beside = score(tmp_path, ROWS, annotations=str(bench))
    assert beside["systems"] == alone["systems"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"test_type": "other"}, "answers.jsonl:2: test_type=\"other\": expected one of"),
        ({"bbox": []}, ":2: 1 target_object and 0 bbox"),
        ({"bbox": [[1, 2, 0, 4]]}, ":2: bbox=.1, 2, 0, 4.: expected"),
        ({"options": ["one"]}, ":2: options="),
        ({"input_image": ROWS[0]["input_image"]}, ":2: direct_attributes/a.mug stands there twice"),
    ],
)  # fmt: skip
def test_a_question_that_is_none_is_named(tmp_path, change, says):
    with pytest.raises(ValueError, match=says):
        score(tmp_path, [ROWS[0], ROWS[1] | change, *ROWS[2:]])
    lacking = {key: value for key, value in ROWS[1].items() if key != "question"}
    with pytest.raises(ValueError, match=r"answers\.jsonl:2 lacks question"):
        score(tmp_path, [ROWS[0], lacking])


@needs_samples
def test_the_recorded_run_may_bring_its_questions(tmp_path):
    folder = SAMPLES / "vstar_bench"
    if not (folder / "annotation_vstar.json").is_file():
        pytest.skip(f"no annotation_vstar.json in {folder}")
    annotations = {
        row["input_image"]: row
        for row in json.loads((folder / "annotation_vstar.json").read_text())
    }
    (path,) = (folder / "recorded").glob("*.jsonl")
    answers = map(json.loads, path.read_text().splitlines())
    metrics = score(tmp_path, [annotations[row["input_image"]] | row for row in answers])
    overall = metrics["systems"]["answers"]["overall"]
    assert overall["accuracy"]["n"] == 191
    assert overall["accuracy_ties_first"]["value"] == 0.5445026178010471
