"""A run of a small network at every level and as its router picks: its numbers, counted twice."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from tiny_models import blocks, levelled_vqa_model, tokenizer

from seal.evaluation.named_tasks import task_named
from seal.evaluation.results.granularity import HINDSIGHT, RANDOM
from seal.evaluation.run import Benchmark
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.systems import Systems
from seal.images.tiles import TilesConfig
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.models.parts.router import RouterConfig
from seal.pipeline import ProtocolConfig

LEVELS = (1, 2, 4, 8, 16)
SIZES = ((64, 64), (100, 40), (30, 90), (112, 50))
OPTIONS = ("red", "blue", "a mug")


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("levels")
    rows = []
    for number in range(16):
        blocks(*SIZES[number % 4], number).save(folder / f"{number}.png")
        rows.append({
            "id": str(number), "image": f"{number}.png", "options": OPTIONS,
            "question": ("Is the boat red?", "What is left of a mug on blue water?")[number // 8],
            "answer": OPTIONS[number % 3], "category": "boat" if number < 8 else "mug",
            "targets": [{"name": "mug", "boxes": [[0, 0, 4 + number, 4 + number]]}],
        })  # fmt: skip
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    router = RouterConfig(text_tokens=4, num_heads=4)
    network = levelled_vqa_model(tiles=TilesConfig(), router=router)
    names = ["none@auto", *(f"none@{level}" for level in LEVELS)]
    model = NetworkAnswerModel(network, tokenizer())
    systems = Systems(names, model, None, protocol=ProtocolConfig())
    task = task_named("own").task(str(folder))
    return Benchmark(task, folder / "out").predict(systems)


@pytest.fixture(scope="module")
def read(lines):
    """By system, its lines by question."""
    found = {}
    for line in lines:
        found.setdefault(line["system"], {})[line["id"]] = line["answer"]
    return found


def tokens(answer):
    return answer["cost"]["answer_model"]["visual_tokens"]


def test_the_router_answers_as_its_level_does_at_the_same_cost(read):
    chosen = {name: answer["levels"][0] for name, answer in read["none@auto"].items()}
    assert len({*chosen.values()}) > 1  # it makes a difference
    for name, answer in read["none@auto"].items():
        forced = read[f"none@{chosen[name]}"][name]
        assert answer["losses"] == pytest.approx(forced["losses"], abs=1e-5)
        assert tokens(answer) == tokens(forced) and answer["levels"] == forced["levels"]


def test_what_the_metrics_say_is_what_the_lines_say(lines, read):
    metrics = benchmark_metrics(task_named("own").task(""), lines, baseline="none@16")
    ids = list(read["none@auto"])
    truth = {line["id"]: line["question"]["answer"] for line in lines}
    right = np.array([
        [float(np.argmin(read[f"none@{level}"][i]["losses"]) == truth[i]) for level in LEVELS]
        for i in ids
    ])  # fmt: skip
    cost = np.array([[tokens(read[f"none@{level}"][i]) for level in LEVELS] for i in ids])
    levels = [read["none@auto"][i]["levels"][0] for i in ids]
    own = np.array([LEVELS.index(level) for level in levels])
    at = np.arange(len(ids))
    told = metrics["granularity"]["none@auto"]
    shares = np.bincount(own, minlength=5) / len(ids)
    assert list(told["random"]["chosen"].values()) == shares.tolist()
    weights = np.array(list(told["random"]["shares"].values()))
    assert cost.mean(0) @ weights == pytest.approx(cost[at, own].mean())  # as dear as the router
    best = right.argmax(1)
    for name, credit, spent in (
        ("none@auto", right[at, own].mean(), cost[at, own].mean()),
        (RANDOM, (right @ weights).mean(), cost[at, own].mean()),
        (HINDSIGHT, right.max(1).mean(), cost[at, best].mean()),
        ("none@4", right[:, 2].mean(), cost[:, 2].mean()),
    ):
        assert told["systems"][name]["credit"]["value"] == pytest.approx(credit)
        assert told["systems"][name]["visual_tokens"]["value"] == pytest.approx(spent)
    share = told["versus"]["none@16"]["tokens"]["value"]
    assert share == pytest.approx(cost[at, own].sum() / cost[:, -1].sum())
    kinds = metrics["levels"]["none@auto"]["kinds"]
    counted = Counter(levels[:8])
    boat = kinds["split"]["boat"]["whole"]
    assert {int(level): count for level, count in boat.items() if count} == counted
    assert sum(bin_["n"] for bin_ in kinds["object size"].values()) == 16
