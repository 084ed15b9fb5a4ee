"""People's fixations order a search as the model's own cues would, and known boxes can detect."""

from __future__ import annotations

import json

import pytest
from fakes import FakeSearchModel
from golden_files import SAMPLES, needs_samples
from PIL import Image

from seal.evaluation.human_prior import PriorNumbers, Scanpaths, gamma_of, without_scanpath
from seal.evaluation.search import SearchRun, run_search
from seal.evaluation.store import read_predictions
from seal.evaluation.strategy_metrics import strategy_metrics
from seal.evaluation.strategy_replay import StrategyReplay
from seal.evaluation.tasks.coco_search18 import CocoSearch18Config
from seal.geometry import Box
from seal.inference.guides.config import GuideConfig
from seal.search.config import SearchConfig
from seal.search.tree import split

FIRST12 = SAMPLES / "coco_search18" / "coco_search18_fixations_TP_test_first12.json"
ANNOTATED = GuideConfig(detect="annotated")


def run(out, fixations=FIRST12, **changed):
    chosen = {"task": "coco_search18", "guide": ANNOTATED, "device": "cpu", "traces": 0}
    return SearchRun(benchmark=str(fixations), out=str(out), **{**chosen, **changed})


@pytest.mark.parametrize(
    ("name", "gamma"),
    [("human_prior_0.9", 0.9), ("human_prior_.8", 0.8), ("human_prior_1", 1.0), ("guided", None)],
)
def test_the_name_says_gamma(name, gamma):
    assert gamma_of(name) == gamma


@pytest.mark.parametrize("name", ["human_prior", "human_prior_2", "human_prior_nan"])
def test_a_gamma_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match=r"as in human_prior_0\.9"):
        gamma_of(name)


def test_the_map_is_the_sum_over_people_at_the_scale_of_the_picture():
    image = Image.new("RGB", (640, 480))
    paths = [[[160, 120], [480, 120]], [[160, 120], [480, 360]]]
    scanpaths = Scanpaths(PriorNumbers(sigma=60))
    scanpaths.tell(image, "mug", {"scale": 0.25, "scanpaths": paths})
    shares = scanpaths.map(image, "mug", 0.5).shares(split(Box(0, 0, *image.size)))
    assert shares == pytest.approx([2 / 3, 1 / 6, 0, 1 / 6], abs=0.01)
    scanpaths.forget([image])
    with pytest.raises(KeyError):
        scanpaths.map(image, "mug", 0.5)


@needs_samples
def test_the_human_row_runs_on_real_records_without_model_and_picture(tmp_path):
    names = ["guided", "sequential_bfs", "human_prior_0.9", "human_prior_0.8"]
    metrics = run_search(run(tmp_path / "out", strategies=names))
    assert metrics["task"] == "coco_search18" and metrics["pictures"] == {"blank": 12}
    needing = metrics["need_search"]
    assert needing["num_targets"] == 12  # no target covers a tenth of its photograph
    of = needing["strategies"]
    assert set(of) == set(names)
    assert {of[name]["hit"]["n"] for name in names} == {12}
    assert len({of[name]["hit"]["value"] for name in names}) == 1  # one detector, one tree
    length = {name: of[name]["length"]["value"] for name in names}
    # The oracle's heat is on the target; people's eyes come there soon; no order of cells does.
    assert (
        length["guided"]
        < length["human_prior_0.9"]
        < length["human_prior_0.8"]
        < length["sequential_bfs"]
    )
    lines = read_predictions(tmp_path / "out")
    assert all(line["result"]["guide"] for line in lines)


@needs_samples
def test_the_length_of_the_human_row_is_that_of_a_walk_by_hand(tmp_path):
    """One record: the first quarter visited is that of most fixation mass, and so on."""
    run_search(run(tmp_path / "out", strategies=["human_prior_0.9"], limit=1))
    (line,) = read_predictions(tmp_path / "out")
    boxes = [node["box"] for node in line["result"]["path"]]
    # Fixations at (1194, 670) and (1445, 684), of equal mass but for gamma: bottom right first.
    assert boxes[1] == [840, 525, 1680, 1050]
    target = line["target"]["boxes"][0]  # 142 x 395: 12.7% of that quarter, wholly inside but for
    inside = (target[3] - 559) * 142 / (840 * 525)  # nothing: it is seen there
    assert inside >= 0.1 and line["result"]["num_steps"] == 2 and line["result"]["found"]


def test_a_target_that_nobody_found_has_no_human_prior(tmp_path):
    trial = {
        "name": "a.jpg", "subject": 1, "task": "cup", "condition": "present",
        "bbox": [300, 200, 300, 200], "X": [840, 400], "Y": [525, 300], "correct": 0,
    }  # fmt: skip
    path = tmp_path / "fixations.json"
    path.write_text(json.dumps([trial, {**trial, "name": "b.jpg", "correct": 1}]))
    metrics = run_search(run(tmp_path / "out", path, strategies=["guided", "human_prior_0.9"]))
    of = metrics["strategies"]
    assert (of["guided"]["hit"]["value"], of["guided"]["hit"]["invalid"]) == (1, 0)
    human = of["human_prior_0.9"]["hit"]
    assert (human["value"], human["n"], human["invalid"]) == (0.5, 2, 1)
    assert "none of 1 people found the cup in a.jpg" in metrics["errors"][0]
    assert metrics["search_length"]["common"]["guided"]["n"] == 1
    assert without_scanpath({"name": "cup", "image": "a.jpg"}) is not None


def test_a_perfect_detector_of_limited_sight_sees_what_covers_enough(tmp_path):
    trial = {
        "name": "a.jpg", "subject": 1, "task": "cup", "condition": "present",
        "bbox": [300, 200, 300, 200], "X": [840, 400], "Y": [525, 300], "correct": 1,
    }  # fmt: skip
    path = tmp_path / "fixations.json"
    path.write_text(json.dumps([trial]))
    steps = []
    for share in (0.01, 0.1, 0.9):  # 60000 of 1764000 pixels; of a quarter 13.6%
        guide = GuideConfig(detect="annotated")
        guide.annotated.min_share = share
        metrics = run_search(
            run(tmp_path / str(share), path, strategies=["human_prior_0.9"], guide=guide)
        )
        of = metrics["strategies"]["human_prior_0.9"]
        steps.append((of["hit"]["value"], of["length"]["value"]))
        assert metrics["need_search"]["num_targets"] == (share > 0.01)
    assert steps == [(1, 1), (1, 2), (0, None)]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"task": "coco_search"}, "task='coco_search' is none of vstar_bench, coco_search18"),
        ({"task": "vstar_bench", "strategies": ["human_prior_0.9"]}, "needs the fixations of"),
        ({"strategies": ["human_prior"]}, "must say in"),
        ({"guide": GuideConfig(), "vsm": "x"}, "without images= has nothing to see"),
        ({"task": "vstar_bench", "images": "x"}, "images=x is of task=coco_search18"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(wrong, says):
    with pytest.raises(ValueError, match=says):
        run("out", **wrong)


def test_the_strategies_of_the_table_are_the_default():
    assert run("x").chosen[-2:] == ["human_prior_0.9", "human_prior_0.8"]
    assert "human_prior_0.9" not in run("x", task="vstar_bench").chosen


def test_a_benchmark_without_boxes_has_nothing_to_search_for(tmp_path):
    question = {
        "image": "a.jpg", "text": "What?\n(A) one\n(B) two\n", "category": "direct_attributes",
        "label": "A", "question_id": 0,
    }  # fmt: skip
    Image.new("RGB", (64, 64)).save(tmp_path / "a.jpg")
    (tmp_path / "test_questions.jsonl").write_text(json.dumps(question) + "\n")
    with pytest.raises(ValueError, match="has no annotated targets to search for"):
        run_search(run(tmp_path / "out", tmp_path, task="vstar_bench", strategies=["guided"]))


def test_on_a_photograph_the_search_goes_in_its_own_pixels(tmp_path):
    trial = {
        "name": "a.jpg", "subject": 1, "task": "cup", "condition": "present", "correct": 1,
        "bbox": [1300, 20, 150, 120], "X": [840, 1370], "Y": [525, 80],
    }  # fmt: skip
    (tmp_path / "fixations.json").write_text(json.dumps([trial]))
    Image.new("RGB", (640, 480), "red").save(tmp_path / "a.jpg")
    task = CocoSearch18Config(
        fixations=str(tmp_path / "fixations.json"), images=str(tmp_path)
    ).build()
    (target,) = task.targets()
    model = FakeSearchModel({"cup": list(target.target.boxes)}, min_share=0.02)
    config = SearchConfig(min_size=64, min_size_scale=16)
    names = ["human_prior_0.9", "sequential_bfs"]
    lines = StrategyReplay(task, tmp_path / "out", model, config, names).predict()
    human, blind = (line["result"] for line in lines)
    assert [node["box"] for node in human["path"]] == [[0, 0, 640, 480], [320, 0, 640, 240]]
    assert human["found"] and human["num_steps"] == 2 < blind["num_steps"]
    assert all(of["hit"]["value"] == 1 for of in strategy_metrics(lines)["strategies"].values())
