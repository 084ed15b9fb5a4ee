"""What controls say: verdicts from paired differences, told plainly, of every split."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from vstar_folder import ANNOTATIONS, BOAT, MUG, SIGN, write_bench

from seal.evaluation.named_tasks import task_named
from seal.evaluation.results.control_report import (
    compare_controls,
    control_table,
    control_verdicts,
    touching,
    verdict_of,
)
from seal.evaluation.run import Benchmark
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.systems import Systems
from seal.geometry import Box
from seal.metrics.paired import compare
from seal.pipeline import ProtocolConfig

TRUE = {
    "mug": [Box.from_xywh(*MUG)], "boat": [Box.from_xywh(*BOAT)], "sign": [Box.from_xywh(*SIGN)],
}  # fmt: skip


def lines_of(system: str, right: list[bool], *, split: str = "attribute", **more):
    """Likelihood answers of a system: option 0 is the true one."""
    question = {
        "text": "Which?", "image": None, "options": ["true", "false"], "answer": 0, "split": split,
        "targets": [], "meta": {},
    }  # fmt: skip
    return [
        {
            "id": f"{split}{i}", "system": system, "task": "vstar_bench", "task_version": "2",
            "protocol": "default", "scoring": "likelihood", "presented": None,
            "question": {"id": f"{split}{i}"} | question, "prompt": None, "error": None,
            "answer": {
                "losses": [0.1, 1.0] if one else [1.0, 0.1], "text": "", "searches": [],
                "memory": [],
            },
        } | more
        for i, one in enumerate(right)
    ]  # fmt: skip


def metrics_of(**systems: float):
    """Shares of 100 questions that each system answers rightly, the same ones first."""
    lines = []
    for name, share in systems.items():
        control = {"control_of": "guided"} if name not in ("none", "guided", "oracle") else {}
        lines += lines_of(name, [i < round(100 * share) for i in range(100)], **control)
    return benchmark_metrics(task_named("vstar_bench").task("", require_images=False), lines)


def verdicts(metrics):
    return {
        name: {split: found["verdict"] for split, found in told["splits"].items()}
        for name, told in metrics["controls"].items()
    }


def test_a_gain_that_is_gone_one_that_survives_and_coordinates_alone():
    metrics = metrics_of(none=0.3, guided=0.8, crop_black=0.28, random_crop=0.5,
                         crop_black_placed=0.5)  # fmt: skip
    assert verdicts(metrics) == {
        "crop_black": {"attribute": "gone", "overall": "gone"},
        "random_crop": {"attribute": "survives", "overall": "survives"},
        "crop_black_placed": {"attribute": "survives", "overall": "survives"},
    }
    black = metrics["controls"]["crop_black"]["splits"]["overall"]
    assert [round(black[key]["difference"]["value"], 9) for key in ("gain", "left", "lost")] == [
        0.5, -0.02, 0.52,
    ]  # fmt: skip
    said = {line.partition(":")[0]: line for line in control_verdicts(metrics)}
    assert said["crop_black"].endswith("without pixels and places: the gain is gone")
    assert "FAULT, the gain survives" in said["random_crop"]
    assert "FAULT, the gain survives" in said["random_crop, attribute"]
    assert (
        "coordinates alone are worth" in said["crop_black_placed"]
        and "FAULT" not in (said["crop_black_placed"])
    )
    assert "crop_black_placed, attribute" not in said
    table = control_table(metrics)
    assert [row[0] for row in table.rows] == [
        "none", "guided", "crop_black", "random_crop", "crop_black_placed",
    ]  # fmt: skip
    assert table.rows[1][-2].startswith("+50.0 [") and table.rows[1][-1] == ""
    assert table.rows[2][-2].startswith("-2.0 [") and table.rows[2][-1].startswith("+52.0 [")


def test_coordinates_that_are_worth_nothing_are_not_said_to_prove_anything():
    lines = control_verdicts(metrics_of(none=0.3, guided=0.8, crop_black_placed=0.3))
    assert lines[0].endswith("no worth of the coordinates alone can be told from chance")


def test_no_gain_and_too_few_questions_are_told_from_both():
    assert verdicts(metrics_of(none=0.5, guided=0.5, crop_black=0.5))["crop_black"] == {
        "attribute": "no_gain", "overall": "no_gain",
    }  # fmt: skip
    some = compare([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0]).to_dict()
    unclear = compare([1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]).to_dict()
    assert verdict_of(some, unclear, unclear) == "undecided"
    # What may be left of it is as much as the gain: six questions prove nothing.
    assert verdict_of(some, unclear, some) == "undecided"
    little = compare([1, 0] * 50, [0, 1] * 50).to_dict()
    assert verdict_of(some, little, some) == "gone"
    assert verdict_of(some, some, some) == "survives"
    assert verdict_of(unclear, some, some) == "no_gain"
    one = compare([1], [0]).to_dict()  # no interval: nothing is told from chance
    assert verdict_of(one, one, one) == "no_gain"
    assert verdict_of(some, None, some) is None


def test_without_the_search_or_the_baseline_there_is_no_verdict_and_without_controls_no_report():
    for systems in ({"none": 0.3, "crop_black": 0.3}, {"guided": 0.8, "crop_black": 0.3}):
        metrics = metrics_of(**systems)
        assert set(verdicts(metrics)["crop_black"].values()) == {None}
        assert control_verdicts(metrics) == [
            "crop_black: no verdict without both guided and none in the run"
        ]
        assert len(control_table(metrics).rows) == 2
    assert "controls" not in metrics_of(none=0.3, guided=0.8, oracle=0.9)
    assert compare_controls({}, lambda first, second: {}) == {}


def test_known_boxes_stand_beside_controls_as_what_a_perfect_search_would_add():
    metrics = metrics_of(none=0.3, guided=0.8, crop_black=0.3, oracle=0.9)
    oracle = metrics["controls"]["oracle"]
    assert oracle["of"] == "guided" and oracle["splits"]["overall"]["verdict"] is None
    assert oracle["splits"]["overall"]["lost"]["difference"]["value"] == pytest.approx(-0.1)
    assert "from known boxes" in control_verdicts(metrics)[-1]


def test_known_boxes_under_their_other_name_can_be_what_is_controlled():
    right = {"none": 30, "oracle_crop": 90, "crop_black": 30}
    lines = []
    for name, count in right.items():
        control = {"control_of": "oracle"} if name == "crop_black" else {}
        lines += lines_of(name, [i < count for i in range(100)], **control)
    metrics = benchmark_metrics(task_named("vstar_bench").task("", require_images=False), lines)
    assert list(metrics["controls"]) == ["crop_black"]
    assert metrics["controls"]["crop_black"]["of"] == "oracle_crop"
    assert set(verdicts(metrics)["crop_black"].values()) == {"gone"}


def test_a_fault_in_one_split_is_told_though_the_whole_looks_well():
    lines = []
    for name, (attribute, spatial) in {
        "none": (0.2, 0.5), "guided": (0.9, 0.9), "crop_black": (0.0, 0.75),
    }.items():  # fmt: skip
        control = {"control_of": "guided"} if name == "crop_black" else {}
        for split, share in (("attribute", attribute), ("spatial", spatial)):
            right = [i < round(100 * share) for i in range(100)]
            lines += lines_of(name, right, split=split, **control)
    metrics = benchmark_metrics(task_named("vstar_bench").task("", require_images=False), lines)
    assert verdicts(metrics)["crop_black"] == {
        "attribute": "gone", "spatial": "survives", "overall": "gone",
    }  # fmt: skip
    said = control_verdicts(metrics)
    assert any(line.startswith("crop_black, spatial: ") and "FAULT" in line for line in said)


class Looks(FakeAnswerModel):
    """Answers rightly if crops show what the question is about, and knows places if told."""

    def _loss(self, memory, option):
        true = [TRUE[name][0] for name in self.needs[memory.question]]
        shown = [box for target in memory.targets for box in target.boxes]
        sees = shown == true and not memory.crops_black
        return 0.1 if sees and option == self.answers[memory.question] else 1.0


def test_a_model_that_looks_loses_all_it_gained_under_controls(tmp_path: Path):
    needs = {a["question"]: [n for n in a["target_object"] if n != "kite"]
             for a in ANNOTATIONS.values()}  # fmt: skip
    answers = {a["question"]: a["options"][0] for a in ANNOTATIONS.values()}
    names = ("none", "guided", "random_crop", "crop_black", "crop_black_placed")
    systems = Systems(
        names, Looks(needs, answers), FakeSearchModel(TRUE), protocol=ProtocolConfig()
    )
    task = task_named("vstar_bench").task(str(write_bench(tmp_path / "bench")))
    metrics = benchmark_metrics(task, Benchmark(task, tmp_path / "out").predict(systems))
    scores = {n: of["overall"]["accuracy"]["value"] for n, of in metrics["systems"].items()}
    assert scores == {
        "none": 0, "guided": 1, "random_crop": 0, "crop_black": 0, "crop_black_placed": 0,
    }  # fmt: skip
    told = metrics["controls"]["random_crop"]
    assert (told["touching"]["value"], told["touching"]["n"]) == (0, 5)
    assert json.loads(json.dumps(metrics)) == metrics


def test_crops_that_touch_a_target_for_want_of_room_are_counted():
    question = {
        "text": "Which?", "image": "a.jpg", "options": [], "answer": None, "split": "", "meta": {},
        "targets": [{"name": "mug", "boxes": [[10, 10, 20, 20]], "group": ""}],
    }  # fmt: skip
    answer = {
        "searches": [{"image_size": [100, 100]}],
        "memory": [{"name": "mug", "boxes": [[0, 0, 60, 60], [70, 70, 90, 90]]}],
    }
    lines = [
        {"question": {"id": "a"} | question, "answer": answer},
        {"question": {"id": "b"} | question, "answer": None},
        {"question": {"id": "c"} | question, "answer": {"searches": [], "memory": []}},
        {"question": {"id": "d"} | question | {"targets": []}, "answer": answer},
    ]
    share = touching(lines)
    assert (share.value, share.n) == (0.5, 2)
    assert share.low is None  # of one picture: its crops tell nothing of others
    other = {"question": {"id": "e"} | question | {"image": "b.jpg"}, "answer": answer}
    assert touching([*lines, other]).low == 0.5  # every picture has one of two
