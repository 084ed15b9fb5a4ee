"""One search that fails costs one line; a model that fails whatever it is asked ends the run."""

from __future__ import annotations

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from vstar_folder import ANNOTATIONS, BOAT, MUG, SIGN, write_bench

from seal.evaluation.faults import Faults
from seal.evaluation.named_tasks import task_named
from seal.evaluation.run import Benchmark
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.strategy_metrics import strategy_metrics
from seal.evaluation.strategy_replay import StrategyReplay
from seal.evaluation.systems import Systems
from seal.evaluation.tasks.visual_search import VisualSearch
from seal.geometry import Box
from seal.pipeline import ProtocolConfig
from seal.search.config import SearchConfig
from seal.search.result import SearchResult

BOXES = {
    "mug": [Box.from_xywh(*MUG)], "boat": [Box.from_xywh(*BOAT)], "sign": [Box.from_xywh(*SIGN)],
}  # fmt: skip
CONFIG = SearchConfig(min_size=64, min_size_scale=16)
NEEDS = {
    a["question"]: [n for n in a["target_object"] if n != "kite"] for a in ANNOTATIONS.values()
}
ANSWERS = {a["question"]: a["options"][0] for a in ANNOTATIONS.values()}


class Breaking(FakeSearchModel):
    """Raises for every query about one target, or about any."""

    def __init__(self, target=None):
        super().__init__(BOXES)
        self.target = target

    def detect(self, queries):
        if self.target is None or any(query.text == self.target for query in queries):
            raise RuntimeError("out of order")
        return super().detect(queries)


@pytest.fixture
def bench(tmp_path):
    return task_named("vstar_bench").task(str(write_bench(tmp_path / "bench")))


def untimed(lines):
    return [{**line, "result": {**line["result"], "seconds": None}} for line in lines]


def test_a_target_that_cannot_be_sought_is_an_error_of_its_lines(bench, tmp_path):
    task = VisualSearch(bench.images, bench.questions())

    def predict(model, folder):
        return StrategyReplay(task, folder, model, CONFIG, ["guided", "random_bfs"]).predict()

    whole = predict(FakeSearchModel(BOXES), tmp_path / "whole")
    lines = predict(Breaking("boat"), tmp_path / "broken")
    failed = [line for line in lines if line["error"]]
    assert {line["target"]["name"] for line in failed} == {"boat"}
    assert all(line["result"] is None and "Traceback" in line["error"] for line in failed)
    assert strategy_metrics(lines)["errors"] == ["RuntimeError: out of order"]
    sound = [line for line in lines if not line["error"]]
    alike = [line for line in whole if line["target"]["name"] != "boat"]
    assert untimed(sound) == untimed(alike)
    # What went wrong is tried again, and nothing else is.
    again = FakeSearchModel(BOXES)
    assert untimed(predict(again, tmp_path / "broken")) == untimed(whole)


def test_a_question_whose_search_fails_is_not_answered_and_the_others_are(bench, tmp_path):
    answers = FakeAnswerModel(NEEDS, ANSWERS)
    systems = Systems(("none", "guided"), answers, Breaking("boat"), protocol=ProtocolConfig())
    lines = Benchmark(bench, tmp_path).predict(systems)
    failed = {(line["id"], line["system"]) for line in lines if line["error"]}
    assert failed == {
        (name, "guided") for name, a in ANNOTATIONS.items() if "boat" in a["target_object"]
    }
    assert 0 < len(failed) < len(ANNOTATIONS)
    assert all((line["answer"] is None) == bool(line["error"]) for line in lines)
    metrics = benchmark_metrics(bench, lines)
    assert metrics["errors"] == ["RuntimeError: out of order"]
    right = metrics["systems"]["guided"]["overall"]["accuracy"]
    assert right["value"] == 1 - len(failed) / len(ANNOTATIONS)


def test_a_model_that_fails_whatever_it_is_asked_ends_the_run(bench, tmp_path):
    task = VisualSearch(bench.images, bench.questions())
    with pytest.raises(RuntimeError, match="out of order"):
        StrategyReplay(task, tmp_path / "a", Breaking(), CONFIG, ["guided"]).predict()
    answers = FakeAnswerModel(NEEDS, ANSWERS)
    systems = Systems(("none", "guided"), answers, Breaking(), protocol=ProtocolConfig())
    with pytest.raises(RuntimeError, match="out of order"):
        Benchmark(bench, tmp_path / "b").predict(systems)


def result(failure=None):
    error = None if failure is None else str(failure)
    return SearchResult(
        target="mug", strategy="", found=False, boxes=[], scores=[], error=error, failure=failure
    )


def test_one_image_that_fails_alone_ends_a_run_only_if_nothing_came_through():
    broken = RuntimeError("boom")
    faults = Faults()
    with pytest.raises(RuntimeError, match="boom"):
        faults.check([result(broken)], 1)
    faults.check([result(), result(broken)], 2)
    faults.check([], 0)
    faults.check([result(broken), result(broken)], 1)  # two targets of one image
    with pytest.raises(RuntimeError, match="boom"):
        faults.check([result(broken), result(broken)], 2)
