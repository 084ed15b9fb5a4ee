"""Every strategy replays from one set of answers; what comes out is judged from the lines."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields, replace

import pytest
from fakes import FakeSearchModel
from PIL import Image
from vstar_folder import BOAT, MUG, SIGN, write_bench

from seal.evaluation.benchmark import FREE
from seal.evaluation.named_tasks import task_named
from seal.evaluation.results.result_tables import search_table
from seal.evaluation.search import SearchRun, write_traces
from seal.evaluation.shards import Shard
from seal.evaluation.store import read_predictions
from seal.evaluation.strategy_metrics import strategy_metrics
from seal.evaluation.strategy_replay import StrategyReplay
from seal.evaluation.systems import Known
from seal.evaluation.task import AnnotatedTarget, TaskQuestion
from seal.evaluation.tasks.visual_search import VisualSearch
from seal.geometry import Box
from seal.pages.table import markdown
from seal.search.budget import BudgetConfig
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.speed import SpeedConfig
from seal.search.strategies import BY_TARGET

BOXES = {
    "mug": [Box.from_xywh(*MUG)], "boat": [Box.from_xywh(*BOAT)], "sign": [Box.from_xywh(*SIGN)],
}  # fmt: skip
CONFIG = SearchConfig(min_size=64, min_size_scale=16)


@pytest.fixture
def task(tmp_path):
    folder = write_bench(tmp_path / "bench")
    task = task_named("vstar_bench").task(str(folder))
    return VisualSearch(task.images, task.questions())


def replay(task, folder, model, strategies=BY_TARGET):
    return StrategyReplay(task, folder, model, CONFIG, strategies)


def test_a_target_is_sought_once_an_image(task):
    ids = [target.id for target in task.targets()]
    assert len(ids) == len(set(ids)) == 6
    twice = VisualSearch(task.images, [*task.questions, *task.questions])
    assert [target.id for target in twice.targets()] == ids


def test_things_of_one_name_in_one_image_are_one_target_with_all_their_boxes(task):
    first, second = Box(0, 0, 9, 9), Box(20, 20, 30, 30)
    cups = (AnnotatedTarget("cup", (first,), "home"), AnnotatedTarget("cup", (second,)))
    questions = [
        TaskQuestion("a", "?", "x.jpg", targets=cups),
        TaskQuestion("b", "?", "x.jpg", targets=cups[1:]),
        TaskQuestion("c", "?", "y.jpg", targets=cups[:1]),
    ]
    found = VisualSearch(task.images, questions).targets()
    assert [(t.id, t.target.boxes, t.target.group) for t in found] == [
        ("a/cup", (first, second), "home"), ("c/cup", (first,), "home"),
    ]  # fmt: skip
    known, image = Known(), Image.new("1", (64, 64))
    for question in questions[:2]:
        known.tell(image, question.targets)
    assert known(image, "cup") == (first, second)


def test_all_strategies_find_the_targets_and_guided_looks_at_fewest_regions(task, tmp_path):
    model = FakeSearchModel(BOXES)
    lines = replay(task, tmp_path, model).predict()
    metrics = strategy_metrics(lines)
    of = metrics["strategies"]
    assert {name: of[name]["hit"]["value"] for name in of} == {
        **dict.fromkeys(BY_TARGET, 1.0), "whole_image_detector": 0.0,
    }  # fmt: skip
    common = metrics["search_length"]["common"]
    assert set(common) == set(BY_TARGET) - {"whole_image_detector"}
    assert {metric["n"] for metric in common.values()} == {5}
    assert all(common["guided"]["value"] <= metric["value"] for metric in common.values())
    assert metrics["search_length"]["difference"]["sequential_dfs"]["value"] > 0
    assert "guided" not in metrics["search_length"]["difference"]


def test_the_model_is_asked_each_question_once_whatever_the_number_of_strategies(task, tmp_path):
    model = FakeSearchModel(BOXES)
    names = ["sequential_bfs", "random_bfs", "random_dfs", "sequential_dfs"]
    lines = replay(task, tmp_path, model, names).predict()
    visits = [(x["id"], tuple(node["box"])) for x in lines for node in x["result"]["path"]]
    asked = sum(size for _, size in model.batches)
    assert asked == len(set(visits)) < len(visits)
    assert len(visits) == sum(x["result"]["calls"]["detect"] for x in lines)  # what each would pay


def test_searches_that_a_budget_ended_are_counted(task, tmp_path):
    model, names = FakeSearchModel(BOXES), ["sequential_bfs"]
    whole = replay(task, tmp_path / "whole", model, names).predict()
    lengths = [len(line["result"]["path"]) for line in whole]
    nodes = sorted(lengths)[len(lengths) // 2]
    config = replace(CONFIG, budget=BudgetConfig(nodes=nodes))
    lines = StrategyReplay(task, tmp_path / "limited", model, config, names).predict()
    ended = [line["result"]["stopped_early"] for line in lines]
    said = f"{nodes} nodes"
    assert ended == [said if length > nodes else None for length in lengths]
    assert set(ended) == {said, None}
    of = strategy_metrics(lines)["strategies"]["sequential_bfs"]
    assert of["stopped_early"]["value"] == pytest.approx(ended.count(said) / len(lines))
    assert of["stopped_early"]["n"] == len(lines)


def test_searches_that_another_float_order_could_turn_are_counted(task, tmp_path):
    lines = replay(task, tmp_path, FakeSearchModel(BOXES), ["guided"]).predict()
    of = strategy_metrics(lines)["strategies"]["guided"]
    assert "stopped_early" not in of  # nothing was limited
    told = [tie["kind"] for line in lines for tie in line["result"]["near_ties"]]
    assert of["near_ties"] == dict(Counter(told))
    lines[0]["result"]["near_ties"] = [{"kind": "best_box", "node": 0, "margin": 0.0}] * 2
    for line in lines[1:]:
        line["result"]["near_ties"] = []
    of = strategy_metrics(lines)["strategies"]["guided"]
    assert of["near_tie"]["value"] == pytest.approx(1 / len(lines))
    assert of["near_ties"] == {"best_box": 2}
    for line in lines:
        del line["result"]["near_ties"]  # as written before they were told
    assert "near_tie" not in strategy_metrics(lines)["strategies"]["guided"]


def test_a_replayed_search_is_the_search(task, tmp_path):
    lines = replay(task, tmp_path, FakeSearchModel(BOXES), ["random_dfs", "guided"]).predict()

    for target in task.targets():
        image = task.images.open(target.image)
        search = GuidedSearch(CONFIG).explore(image, target.target.name)
        (alone,) = run_searches([search], FakeSearchModel(BOXES))
        line = next(x for x in lines if (x["id"], x["strategy"]) == (target.id, "guided"))
        assert line["result"]["num_steps"] == alone.num_steps
        assert len(line["result"]["path"]) == len(alone.path)


def test_how_hard_a_model_is_driven_changes_no_line(task, tmp_path):
    def predict(folder, **options):
        model = FakeSearchModel(BOXES)
        return StrategyReplay(task, folder, model, CONFIG, ["random_bfs"], **options).predict()

    slow = predict(tmp_path / "slow", speed=SpeedConfig(concurrency=1))
    fast = predict(tmp_path / "fast", speed=SpeedConfig(lookahead=3, max_batch=8))
    assert sum(line["result"]["evaluated_ahead"] for line in fast) > 0
    for one, other in zip(slow, fast, strict=True):
        for spent in ("evaluated_ahead", "wasted_ahead", "seconds"):
            del one["result"][spent], other["result"][spent]
    assert slow == fast


def test_a_run_is_told_how_hard_to_drive_its_models():
    run = SearchRun(benchmark="b", vsm="m", out="o", lookahead=2, concurrency=5, prepare=False)
    assert run.speed == SpeedConfig(lookahead=2, concurrency=5, prepare=False)
    assert SearchRun(benchmark="b", vsm="m", out="o").speed == SpeedConfig()
    with pytest.raises(ValueError, match="concurrency=0 must be a whole number of at least 1"):
        SearchRun(benchmark="b", vsm="m", out="o", concurrency=0)
    assert {field.name for field in fields(SpeedConfig)} <= {*FREE}


def line(name, strategy, *, box, truth, found=True, steps=1, depth=1, group=""):
    edges = None if box is None else [box.x0, box.y0, box.x1, box.y1]
    result = {
        "found": found, "boxes": [edges] if found and edges else [], "best_box": edges,
        "num_steps": steps, "path": [{"depth": depth}] * steps, "calls": {"detect": steps},
    }  # fmt: skip
    boxes = [] if truth is None else [[truth.x0, truth.y0, truth.x1, truth.y1]]
    target = {"name": name, "boxes": boxes, "group": group}
    return {
        "id": name, "strategy": strategy, "protocol": "default", "target": target,
        "result": result, "error": None,
    }  # fmt: skip


HERE, THERE = Box(0, 0, 10, 10), Box(50, 50, 60, 60)


def test_what_is_found_is_not_always_right():
    lines = [
        line("a", "guided", box=HERE, truth=HERE, steps=2, depth=2, group="home"),
        line("b", "guided", box=THERE, truth=HERE, steps=4, depth=2, group="away"),
        line("c", "guided", box=HERE, truth=HERE, found=False, group="away"),
        line("d", "guided", box=THERE, truth=None, group="absent"),
        line("e", "guided", box=None, truth=None, found=False, group="absent"),
    ]
    of = strategy_metrics(lines)["strategies"]["guided"]
    assert (of["hit"]["value"], of["hit"]["n"]) == (pytest.approx(1 / 3), 3)
    assert of["found"]["value"] == pytest.approx(2 / 3)
    assert (of["precision"]["value"], of["precision"]["n"]) == (pytest.approx(1 / 3), 3)
    assert (of["false_alarm"]["value"], of["false_alarm"]["n"]) == (0.5, 2)
    assert of["by_depth"]["2"] == {"found": 2, "precision": {**of["by_depth"]["2"]["precision"]}}
    assert of["by_depth"]["2"]["precision"]["value"] == 0.5
    assert of["by_group"]["home"]["hit"]["value"] == 1
    assert of["by_group"]["away"]["hit"]["value"] == 0
    assert of["by_group"]["absent"]["hit"]["value"] is None
    assert (of["length"]["value"], of["length"]["invalid"]) == (2, 2)
    assert of["recall_at"]["1"]["value"] == 0 and of["recall_at"]["3"]["value"] > 0


def test_lengths_are_compared_over_what_all_found():
    lines = [
        line("a", "guided", box=HERE, truth=HERE, steps=2),
        line("b", "guided", box=HERE, truth=HERE, steps=3),
        line("a", "random_bfs", box=HERE, truth=HERE, steps=7),
        line("b", "random_bfs", box=THERE, truth=HERE, steps=1),
    ]
    metrics = strategy_metrics(lines)
    assert metrics["search_length"]["common"]["guided"]["value"] == 2
    assert metrics["search_length"]["difference"]["random_bfs"]["value"] == 5
    assert metrics["search_length"]["own"]["guided"]["value"] == 2.5
    assert "| random_bfs" in markdown(search_table(metrics))


def test_an_unfinished_run_is_not_judged():
    lines = [
        line("a", "guided", box=HERE, truth=HERE),
        line("b", "guided", box=HERE, truth=HERE),
        line("a", "random_bfs", box=HERE, truth=HERE),
    ]
    with pytest.raises(ValueError, match="some strategies lack targets"):
        strategy_metrics(lines)


def test_a_stopped_run_goes_on_and_new_strategies_join(task, tmp_path):
    names = ["guided", "sequential_bfs"]
    lines = replay(task, tmp_path, FakeSearchModel(BOXES), names).predict()
    path = tmp_path / "predictions.jsonl"
    kept = path.read_text().splitlines(keepends=True)[:5]
    path.write_text("".join(kept))
    again = replay(task, tmp_path, FakeSearchModel(BOXES), [*names, "random_bfs"]).predict()
    assert [(x["id"], x["strategy"]) for x in again][:2] == [(lines[0]["id"], n) for n in names]
    assert len(again) == 18 and read_predictions(tmp_path) == json.loads(json.dumps(again))


class Noting(FakeSearchModel):
    """Notes what is put together; the `stop`-th pass never returns."""

    def __init__(self, stop=0):
        super().__init__(BOXES)
        self.together, self.stop = [], stop

    def detect(self, queries):
        self.stop -= 1
        if self.stop == 0:
            raise KeyboardInterrupt
        self.together.append([(query.text, query.patch.box) for query in queries])
        return super().detect(queries)


class Place(Shard):
    def wait(self):
        pass


def test_what_is_put_together_is_the_same_for_any_number_of_processes(task, tmp_path):
    alone = Noting()
    lines = replay(task, tmp_path / "alone", alone).predict(batch=2)
    of_both = []
    for rank in (1, 0):  # the first one merges, when the other is done
        one = Noting()
        shared = replay(task, tmp_path / "two", one).predict(batch=2, shard=Place(rank, 2))
        of_both = one.together + of_both
        assert one.together
    assert of_both == alone.together
    assert [(x["id"], x["strategy"]) for x in shared] == [(x["id"], x["strategy"]) for x in lines]


def test_a_search_killed_between_two_strategies_begins_its_images_again(task, tmp_path):
    whole = Noting()
    replay(task, tmp_path / "whole", whole).predict(batch=2)
    passes = len(whole.together)
    with pytest.raises(KeyboardInterrupt):
        replay(task, tmp_path / "out", Noting(passes)).predict(batch=2)
    again = Noting()
    replay(task, tmp_path / "out", again).predict(batch=2)
    assert again.together == whole.together[-len(again.together) :]


def test_a_damaged_image_is_counted_as_invalid(task, tmp_path):
    (task.images.folder / "direct_attributes" / "b.jpg").write_bytes(b"")
    metrics = strategy_metrics(replay(task, tmp_path, FakeSearchModel(BOXES), ["guided"]).predict())
    hit = metrics["strategies"]["guided"]["hit"]
    assert (hit["n"], hit["invalid"], hit["value"]) == (5, 1, 0.8)
    assert "b.jpg: the file is empty" in metrics["errors"][0]


def test_traces_are_drawn_with_what_was_looked_at(task, tmp_path):
    traced = [target.id for target in task.targets()[:2]]
    strategies = replay(task, tmp_path, FakeSearchModel(BOXES), ["guided"])
    lines = strategies.predict(traced=traced)
    assert [("heat" in x["result"]["path"][0]) for x in lines] == [True, True] + [False] * 4
    pictures = write_traces(tmp_path, task, lines, "guided", traced)
    assert [path.name for path, _ in pictures] == ["000.png", "001.png"]
    names = [line["target"]["name"] for line in lines[:2]]
    assert all(words.startswith(name) for (_, words), name in zip(pictures, names, strict=True))
    assert json.loads((tmp_path / "traces" / "000.json").read_text())["id"] == traced[0]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"strategies": ["gided"]}, "no search strategy 'gided'"),
        ({"strategies": ["oracle"]}, "oracle"),
        ({"strategies": []}, "must name some"),
        ({"protocol": "released"}, "known: default, as_released"),
        ({"batch": 0}, "batch=0 must be at least 1"),
        ({"seed": -1}, "seed=-1 not negative"),
        ({"dtype": "half"}, "float32, bfloat16, float16"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_loaded(wrong, says):
    with pytest.raises(ValueError, match=says):
        SearchRun(**{"benchmark": "x", "vsm": "y", "out": "z", **wrong})
