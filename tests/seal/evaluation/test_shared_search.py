"""Rows that put one question in several ways share one search, and each is answered for itself."""

from __future__ import annotations

import json
from dataclasses import replace
from zlib import crc32

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.run import Benchmark
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.shared_search import batches, units
from seal.evaluation.store import read_predictions
from seal.evaluation.systems import Systems
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.spec import TaskSpec
from seal.geometry import Box
from seal.pipeline import ProtocolConfig

MUG = Box(40, 60, 60, 76)
COLORS = ("red", "blue", "green", "white")
TRUE = ("red", "green")
ASKED = ("What color is the mug?", "What color is the boat?")
NAMES = ("none", "guided", "crop_black")


def rows(groups: int = 2) -> list[TaskQuestion]:
    """Four rotations of each question, as HR-Bench has them."""
    return [
        TaskQuestion(
            f"{group}-{turn}",
            ASKED[group],
            "a.png",
            COLORS[turn:] + COLORS[:turn],
            (COLORS.index(TRUE[group]) - turn) % 4,
            meta={"group": str(group)},
        )
        for group in range(groups)
        for turn in range(4)
    ]


class Says(FakeAnswerModel):
    """Says the letter in front of its answer, and notes what it was put."""

    def _say(self, memory):
        text, *lines = memory.question.split("\n")
        if self.needs.get(text) and not memory.targets:
            return super()._say(memory)
        return next((x[1] for x in lines if x.endswith(self.answers[text])), "A")

    def levels_of(self, memory):
        """Of every wording another, as a router picks them."""
        return (crc32(memory.question.encode()) % 1000,) * (1 + memory.num_crops)

    def missing(self, memory):
        return super().missing(replace(memory, question=memory.question.split("\n")[0]))


def systems(names=NAMES):
    answers = Says({ASKED[0]: ["mug"], ASKED[1]: ["boat"]}, dict(zip(ASKED, TRUE, strict=True)))
    search = FakeSearchModel({"mug": [MUG], "boat": [MUG.shift(200, 100)]})
    return Systems(names, answers, search, protocol=ProtocolConfig())


@pytest.fixture
def task(tmp_path):
    Image.new("RGB", (640, 480), (90, 120, 60)).save(tmp_path / "a.png")
    spec = TaskSpec(
        name="turns", title="Turns.", files="", origin="", licence="", counts={},
        scorings=("letter", "likelihood"),
        read=lambda folder: (rows(), FolderImages(folder)),
    )  # fmt: skip
    return spec.task(str(tmp_path))


def run(task, out, *, share, scoring="letter", batch=8, some=None):
    benchmark = Benchmark(task, out, scoring=scoring, share_search=share)
    return benchmark.predict(some or systems(), batch=batch)


def told(lines):
    """What was answered, without what it cost and what the scoring is called."""
    kept = ("text", "texts", "losses", "option", "memory", "levels")
    return [
        [line[key] for key in ("id", "system", "presented", "prompt")]
        + [line["answer"][key] for key in kept]
        for line in lines
    ]


@pytest.mark.parametrize("scoring", ["letter", "letter_cyclic", "likelihood"])
def test_rows_are_answered_as_if_each_had_searched_for_itself(task, tmp_path, scoring):
    alone = run(task, tmp_path / "alone", share=False, scoring=scoring)
    shared = run(task, tmp_path / "shared", share=True, scoring=scoring)
    assert told(shared) == told(alone) and len(shared) == 24
    assert {line["scoring"] for line in shared} == {f"{scoring}+shared_search"}
    alone, shared = (
        benchmark_metrics(task, lines)["systems"]["guided"]["overall"]["accuracy"]
        for lines in (alone, shared)
    )
    assert shared == alone and shared["value"] == 1


def test_the_search_is_made_once_and_every_row_bears_its_part(task, tmp_path):
    costs = {}
    for share in (False, True):
        some = systems(("guided",))
        lines = run(task, tmp_path / str(share), share=share, some=some)
        costs[share] = {
            "visits": sum(line["answer"]["cost"]["visits"] for line in lines),
            "planned": sum(line["answer"]["cost"]["planner"]["calls"] for line in lines),
            "calls": sum(line["answer"]["cost"]["answer_model"]["calls"] for line in lines),
        }
        one = lines[0]["answer"]
        assert one["cost"]["visits"] == len(one["searches"][0]["path"]) / (4 if share else 1)
        seconds = [line["answer"]["cost"]["seconds"]["search"] for line in lines[:4]]
        assert len(set(seconds)) == 1
    assert costs[False]["visits"] == 4 * costs[True]["visits"]
    assert (costs[False]["planned"], costs[True]["planned"]) == (8, 2)
    assert (costs[False]["calls"], costs[True]["calls"]) == (16, 10)  # 8 final answers in both


def test_going_on_asks_only_what_is_missing(task, tmp_path):
    whole = run(task, tmp_path / "whole", share=True)
    out = tmp_path / "stopped"
    run(task, out, share=True)
    path = out / "predictions.jsonl"
    kept = [line for line in path.read_text().splitlines(keepends=True)
            if json.loads(line)["id"] not in ("0-1", "0-3", "1-0")]  # fmt: skip
    path.write_text("".join(kept))
    again = systems()
    assert told(run(task, out, share=True, some=again)) == told(whole)
    final = [m for part in again._answers.model.generated for m in part if "\n" in m.question]
    assert len(final) == 3 * len(NAMES)
    assert len(read_predictions(out)) == 24


def test_no_batch_tears_apart_what_shares_a_search(task, tmp_path):
    questions = rows()
    assert [len(part) for part in batches(questions, 3, True)] == [4, 4]
    assert [len(part) for part in batches(questions, 8, True)] == [8]
    assert [len(part) for part in batches(questions, 3, False)] == [3, 3, 2]
    assert [q for part in batches(questions, 3, True) for q in part] == questions
    small, large = (run(task, tmp_path / str(b), share=True, batch=b) for b in (1, 8))
    assert told(small) == told(large)


def test_only_rows_of_one_question_share_a_search():
    first, second, *_ = rows()
    for other, together in [
        (second, True),
        (replace(second, meta={"group": "1"}), False),
        (replace(second, meta={}), False),
        (replace(second, image="b.png"), False),
        (replace(second, text="What color is it?"), False),
        (replace(second, options=("red", "blue", "green", "black")), False),
    ]:
        assert (len(units([first, other], True)) == 1) is together
        assert len(units([first, other], False)) == 2
    apart = rows()
    assert len(units([apart[0], apart[4], apart[1]], True)) == 3  # not consecutive
