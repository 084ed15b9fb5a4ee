"""Benchmarks answered in words, put to a model by the runner: searched plain, asked in full."""

from __future__ import annotations

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.run import Benchmark
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.systems import Systems
from seal.geometry import Box
from seal.pipeline import ProtocolConfig
from seal.pipeline.planner import PlannerConfig

TEXT = "Is it red?\tYes\nIs it blue?\tNo\n"
ASKED = {"Is it red?": "red", "Is it blue?": "blue"}


@pytest.fixture
def release(tmp_path):
    """MME's form: two pictures of a category, with two questions about each."""
    folder = tmp_path / "mme" / "color"
    folder.mkdir(parents=True)
    for name in "ab":
        Image.new("RGB", (640, 480), "red").save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(TEXT.replace("?", "? Please answer yes or no."))
    return folder.parent


@pytest.mark.parametrize(
    ("scoring", "ends"),
    [
        ("yes_no", " Please answer yes or no."),
        ("short_answer", "\nAnswer the question using a single word or phrase."),
    ],
)
def test_what_is_missing_is_searched_for_the_plain_question_and_the_request_comes_behind(
    release, tmp_path, scoring, ends
):
    answers = {question + ends: "Yes" for question in ASKED}
    needs = {question: ["mug"] for question in ASKED}
    model = FakeAnswerModel(needs | {q + ends: ["mug"] for q in ASKED}, answers)
    systems = Systems(
        ("none", "guided"), model, FakeSearchModel({"mug": [Box(10, 10, 40, 40)]}),
        protocol=ProtocolConfig(), planner=PlannerConfig(),
    )  # fmt: skip
    benchmark = Benchmark(task_named("mme").task(str(release)), tmp_path / "out", scoring=scoring)
    lines = benchmark.predict(systems)
    assert len(lines) == 8
    found = benchmark_metrics(benchmark.task, lines, baseline="none")
    color = {name: of["color"]["score"]["value"] for name, of in found["systems"].items()}
    # Having seen the mug it says yes to everything: half right, and no pair; before, no answer.
    assert color == {"none": 0, "guided": 50}
    assert found["systems"]["none"]["color"]["score"]["invalid"] == 4
    paired = found["paired"]["guided_vs_none"]["color"]
    assert (paired["clusters"], paired["test"]) == (2, "sign_flip")
    assert paired["difference"]["value"] == 0.5
    questions = {memory.question for batch in model.generated for memory in batch}
    assert questions == {*ASKED, *answers}
