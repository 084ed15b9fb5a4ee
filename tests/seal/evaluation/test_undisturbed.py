"""What changes no prediction: the size of a batch, a limit, a stop, the number of processes."""

from __future__ import annotations

import json

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.run import Benchmark, line_key
from seal.evaluation.shards import Shard
from seal.evaluation.store import read_predictions
from seal.evaluation.systems import Systems
from seal.evaluation.task import AnnotatedTarget, TaskQuestion
from seal.evaluation.tasks.spec import TaskSpec
from seal.geometry import Box
from seal.pipeline import ProtocolConfig

NAMES = ("none", "guided", "sequential_bfs", "random_crop", "crop_black", "oracle_crop")
LEFT, RIGHT = Box(40, 60, 60, 76), Box(500, 300, 530, 320)
OPTIONS = ("The mug is red.", "The mug is blue.")


class Killed(BaseException):
    """What no code catches."""


def question(number: int) -> TaskQuestion:
    """Ten questions on five pictures; two on a picture are about different mugs."""
    target = AnnotatedTarget("mug", ((LEFT, RIGHT)[number % 2],))
    text = f"What is the color of mug number {number}?"
    return TaskQuestion(
        f"q{number}", text, f"{number // 2}.png", OPTIONS, 0, ("even", "odd")[number // 5],
        targets=(target,),
    )  # fmt: skip


QUESTIONS = [question(number) for number in range(10)]


class Asked(FakeAnswerModel):
    """Losses that tell what was shown; the `stop`-th pass never returns."""

    def __init__(self, stop: int = 0) -> None:
        super().__init__({q.text: ["mug"] for q in QUESTIONS}, loss=self.shown)
        self.stop = stop

    def loglikelihood(self, requests):
        self.stop -= 1
        if self.stop == 0:
            raise Killed
        return super().loglikelihood(requests)

    def shown(self, memory, option):
        boxes = [box for target in memory.targets for box in target.boxes]
        seen = sum(box.x0 + 2 * box.y0 for box in boxes) / 1000
        return len(option) + seen + memory.crops_black - 0.5 * memory.places_told


def systems(stop: int = 0) -> Systems:
    known = FakeSearchModel({"mug": [LEFT, RIGHT]})
    return Systems(NAMES, Asked(stop), known, protocol=ProtocolConfig())


@pytest.fixture
def spec(tmp_path):
    for number in range(5):
        Image.new("RGB", (640, 480), (9 * number, 120, 60)).save(tmp_path / f"{number}.png")
    return TaskSpec(
        name="mugs", title="Mugs.", files="", origin="", licence="", counts={},
        scorings=("likelihood",), read=lambda folder: (QUESTIONS, FolderImages(folder)),
    )  # fmt: skip


def plain(lines):
    """Lines without seconds, which questions that are asked together share."""
    lines = json.loads(json.dumps(lines))
    for line in lines:
        line["answer"]["cost"].pop("seconds")
        for search in line["answer"]["searches"]:
            search.pop("seconds")
    return lines


@pytest.mark.parametrize("stop", [1, 8, 15])
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(spec, tmp_path, stop):
    task = spec.task(str(tmp_path))
    whole = Benchmark(task, tmp_path / "whole").predict(systems(), batch=4)
    assert len(whole) == 60
    benchmark = Benchmark(task, tmp_path / "out")
    with pytest.raises(Killed):
        benchmark.predict(systems(stop), batch=4)
    kept = read_predictions(tmp_path / "out")
    assert len(kept) == (stop - 1) // 6 * 24  # six systems answer four questions, or none does
    again = systems()
    assert plain(benchmark.predict(again, batch=4)) == plain(whole)
    asked = [memory for part in again._answers.model.scored for memory, _ in part]
    assert len(asked) == 60 - len(kept)
    stored = read_predictions(tmp_path / "out")
    assert len({line_key(line) for line in stored}) == len(stored) == 60


def test_any_number_of_processes_writes_the_same_lines(spec, tmp_path):
    task = spec.task(str(tmp_path))
    alone = plain(Benchmark(task, tmp_path / "alone").predict(systems(), batch=2))

    class Place(Shard):
        def wait(self):
            pass

    for world_size in (2, 3):
        out = tmp_path / str(world_size)
        asked = []
        for rank in reversed(range(world_size)):  # the first one merges, when the others are done
            some = systems()
            lines = Benchmark(task, out).predict(some, batch=2, shard=Place(rank, world_size))
            asked.append(sum(len(part) for part in some._answers.model.scored))
        assert plain(lines) == alone == plain(read_predictions(out))
        assert sum(asked) == 60 and min(asked) >= 12  # everybody had something to do


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_the_batch_decides_nothing_and_no_cost(spec, tmp_path, batch):
    """Not even where two questions on a picture are about different things of one name."""
    task = spec.task(str(tmp_path))
    of_two = Benchmark(task, tmp_path / "two").predict(systems(), batch=2)
    others = Benchmark(task, tmp_path / "others").predict(systems(), batch=batch)
    assert plain(others) == plain(of_two)
    oracle = {line["id"]: line for line in others if line["system"] == "oracle_crop"}
    assert [len(oracle[q.id]["answer"]["memory"][0]["boxes"]) for q in QUESTIONS] == [1] * 10


def test_a_limit_asks_fewer_questions_and_changes_none(spec, tmp_path):
    whole = Benchmark(spec.task(str(tmp_path)), tmp_path / "whole").predict(systems(), batch=1)
    out = tmp_path / "out"
    some = Benchmark(spec.task(str(tmp_path), limit=2), out).predict(systems(), batch=1)
    ids = {"q0", "q1", "q5", "q6"}
    assert plain(some) == plain([line for line in whole if line["id"] in ids])
    again = systems()
    lines = Benchmark(spec.task(str(tmp_path)), out).predict(again, batch=1)
    assert plain(lines) == plain(whole)
    assert sum(len(part) for part in again._answers.model.scored) == 36
