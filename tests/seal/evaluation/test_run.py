"""Benchmarks on fakes: what is stored, resumed, shared and compared."""

from __future__ import annotations

import json

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image
from vstar_folder import ANNOTATIONS, BOAT, MUG, SIGN, write_bench

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.named_tasks import task_named
from seal.evaluation.results.failures import write_failures
from seal.evaluation.run import Benchmark
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.shards import Shard
from seal.evaluation.store import read_predictions, settle
from seal.evaluation.systems import Systems
from seal.evaluation.task import TaskQuestion
from seal.geometry import Box
from seal.metrics.power import detectable_difference
from seal.pipeline import ProtocolConfig
from seal.working_memory import VisualWorkingMemory

BOXES = {
    "mug": [Box.from_xywh(*MUG)], "boat": [Box.from_xywh(*BOAT)], "sign": [Box.from_xywh(*SIGN)],
}  # fmt: skip
NEEDS = {
    a["question"]: [n for n in a["target_object"] if n != "kite"] for a in ANNOTATIONS.values()
}
ANSWERS = {a["question"]: a["options"][0] for a in ANNOTATIONS.values()}
NAMES = ("none", "guided", "oracle")


def task(folder):
    return task_named("vstar_bench").task(str(folder))


def systems(names=NAMES, found=BOXES):
    answers = FakeAnswerModel(NEEDS, ANSWERS)
    return Systems(names, answers, FakeSearchModel(found), protocol=ProtocolConfig())


@pytest.fixture
def bench(tmp_path):
    return write_bench(tmp_path / "bench")


def test_search_answers_what_the_whole_image_does_not(bench, tmp_path):
    benchmark = Benchmark(task(bench), tmp_path / "out")
    metrics = benchmark_metrics(benchmark.task, benchmark.predict(systems()))
    accuracy = {name: of["overall"]["accuracy"]["value"] for name, of in metrics["systems"].items()}
    assert accuracy == {"none": 0, "guided": 1, "oracle": 1}
    assert metrics["systems"]["none"]["overall"]["ties"] == 4
    paired = metrics["paired"]["guided_vs_none"]
    assert (paired["overall"]["only_first"], paired["overall"]["only_second"]) == (4, 0)
    assert paired["overall"]["p_value"] == pytest.approx(2 / 16)
    assert set(paired) == {"attribute", "spatial", "overall"}
    assert metrics["systems"]["guided"]["overall"]["target_hit"]["value"] == 1


def test_what_can_be_shown_is_told_for_questions_of_one_picture_as_well(bench, tmp_path):
    (line,) = Benchmark(task(bench), tmp_path).predict(systems(("none",)))[:1]
    lines = [
        line | {"id": f"{i}", "question": line["question"] | {"id": f"{i}", "image": f"{i % 50}"}}
        for i in range(200)
    ]
    told = benchmark_metrics(task(bench), lines)["detectable"]["overall"]
    assert (told["n"], told["clusters"]) == (200, 50)
    assert told["value"] == detectable_difference(200, 0.2)
    assert told["at_worst"] == detectable_difference(50, 0.2) > 1.8 * told["value"]


def test_a_line_holds_everything_that_a_score_needs(bench, tmp_path):
    benchmark = Benchmark(task(bench), tmp_path)
    made = benchmark.predict(systems())
    stored = read_predictions(tmp_path)
    assert stored == json.loads(json.dumps(made))
    assert [(line["id"], line["system"]) for line in stored] == [
        (name, system) for name in ANNOTATIONS for system in NAMES
    ]
    line = next(line for line in stored if line["system"] == "guided")
    assert line["prompt"].startswith("A chat between") and "<object> at location" in line["prompt"]
    assert line["answer"]["first_text"].startswith("Sorry")
    assert len(line["answer"]["losses"]) == 3
    assert line["answer"]["searches"][0]["path"]
    # Without the benchmark's folder at hand:
    elsewhere = task_named("vstar_bench").task("nowhere")
    assert benchmark_metrics(elsewhere, stored) == benchmark_metrics(benchmark.task, made)


def test_first_answers_are_given_once_for_all_systems(bench, tmp_path):
    all_systems = systems(("guided", "sequential_bfs", "random_dfs"))
    Benchmark(task(bench), tmp_path).predict(all_systems, batch=4)
    asked = [m for part in all_systems._answers.model.generated for m in part if not m.targets]
    assert len(asked) == 4


def test_a_stopped_run_goes_on_where_it_was(bench, tmp_path):
    whole = Benchmark(task(bench), tmp_path / "whole").predict(systems())
    out = tmp_path / "stopped"
    Benchmark(task(bench), out).predict(systems())
    path = out / "predictions.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5]) + lines[5][:40])  # killed in the middle of a line
    again = systems()
    assert untimed(Benchmark(task(bench), out).predict(again)) == untimed(whole)
    scored = [memory for part in again._answers.model.scored for memory, _ in part]
    assert len(scored) == len(whole) - 5
    more = Benchmark(task(bench), out).predict(systems((*NAMES, "sequential_bfs")))
    assert len(more) == len(whole) + 4


def test_shards_together_make_the_same_file(bench, tmp_path):
    alone = Benchmark(task(bench), tmp_path / "alone").predict(systems())
    together = Benchmark(task(bench), tmp_path / "shards")
    for rank in (1, 0):  # the first one merges, when the others are done

        class Place(Shard):
            def wait(self):
                pass

        lines = together.predict(systems(), shard=Place(rank, 2))
    assert untimed(lines) == untimed(alone)
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["predictions.jsonl"]


def test_the_batch_does_not_change_the_predictions(bench, tmp_path):
    one = Benchmark(task(bench), tmp_path / "one").predict(systems(), batch=1)
    all_at_once = Benchmark(task(bench), tmp_path / "all").predict(systems(), batch=4)
    assert untimed(one) == untimed(all_at_once)


def test_a_damaged_image_costs_its_questions_and_is_named(bench, tmp_path):
    (bench / "direct_attributes" / "b.jpg").write_bytes(b"no image")
    benchmark = Benchmark(task(bench), tmp_path / "out")
    lines = benchmark.predict(systems())
    metrics = benchmark_metrics(benchmark.task, lines)
    attribute = metrics["systems"]["oracle"]["attribute"]["accuracy"]
    assert (attribute["value"], attribute["n"], attribute["invalid"]) == (0.5, 2, 1)
    assert len(metrics["errors"]) == 1 and "b.jpg: not an image" in metrics["errors"][0]
    assert write_failures(tmp_path, benchmark.task, lines).read_text().count("b.jpg") == len(NAMES)


def test_a_question_whose_image_was_damaged_is_asked_once_it_is_whole(bench, tmp_path):
    picture = bench / "direct_attributes" / "b.jpg"
    whole = picture.read_bytes()
    picture.write_bytes(b"no image")
    benchmark = Benchmark(task(bench), tmp_path / "out")
    benchmark.predict(systems())
    picture.write_bytes(whole)
    again = systems()
    lines = benchmark.predict(again)
    assert [line["error"] for line in lines] == [None] * 12
    assert sum(len(part) for part in again._answers.model.scored) == len(NAMES)
    assert untimed(lines) == untimed(Benchmark(task(bench), tmp_path / "new").predict(systems()))


def test_letters_are_put_in_a_seeded_order_and_read_back(bench, tmp_path):
    benchmark = Benchmark(task(bench), tmp_path, scoring="letter", seed=3)
    all_systems = systems(("oracle",))

    def say(memory: VisualWorkingMemory) -> str:
        text, *rest = memory.question.split("\n")
        return next(line[1] for line in rest if line.endswith(ANSWERS[text]))

    all_systems._answers.model._say = say
    lines = benchmark.predict(all_systems)
    assert {len(line["presented"][0]) for line in lines} == {2, 3}
    metrics = benchmark_metrics(benchmark.task, lines)
    assert metrics["scoring"] == "letter"
    assert metrics["systems"]["oracle"]["overall"]["accuracy"]["value"] == 1
    assert len({tuple(line["presented"][0]) for line in lines}) > 1


def test_who_names_the_targets_is_an_option(bench, tmp_path):
    answers = FakeAnswerModel({}, ANSWERS)  # never lacks anything
    for source, searched in (("model", 0), ("annotated", 4)):
        some = Systems(("guided",), answers, FakeSearchModel(BOXES), protocol=ProtocolConfig())
        lines = Benchmark(task(bench), tmp_path / source, targets=source).predict(some)
        assert sum(bool(line["answer"]["searches"]) for line in lines) == searched


def test_predictions_of_other_settings_are_not_mixed(bench, tmp_path):
    settle(tmp_path, {"protocol": "default", "limit": 3}, free=("limit",))
    Benchmark(task(bench), tmp_path).predict(systems())
    settle(tmp_path, {"protocol": "default", "limit": 9}, free=("limit",))
    with pytest.raises(ValueError, match="made with protocol='default', not 'as_released'"):
        settle(tmp_path, {"protocol": "as_released", "limit": 9}, free=("limit",))


def test_failures_show_what_was_shown(bench, tmp_path):
    benchmark = Benchmark(task(bench), tmp_path)
    lines = benchmark.predict(systems(("none", "guided"), found={"mug": BOXES["mug"]}))
    page = write_failures(tmp_path, benchmark.task, lines).read_text()
    assert "none: 4 of 4 wrong" in page and "guided: 3 of 4 wrong" in page
    assert "not found: boat" in page and "data:image/jpeg;base64," in page
    assert str(tmp_path) not in page


def test_a_loss_that_is_not_finite_is_shown_as_what_it_is(bench, tmp_path):
    benchmark = Benchmark(task(bench), tmp_path)
    lines = benchmark.predict(systems(("none",)))
    lines[0]["answer"]["losses"] = [None, *lines[0]["answer"]["losses"][1:]]
    page = write_failures(tmp_path, benchmark.task, lines).read_text()
    assert page.count("<td>not finite</td>") == 1


def untimed(lines):
    """Without what a clock decides."""
    lines = json.loads(json.dumps(lines))
    for line in lines:
        line["answer"]["cost"].pop("seconds")
        for search in line["answer"]["searches"]:
            search.pop("seconds")
    return lines


def test_questions_come_back_from_their_lines(bench, tmp_path):
    lines = Benchmark(task(bench), tmp_path).predict(systems(("none",)))
    assert [TaskQuestion.from_dict(line["question"]) for line in lines] == task(bench).questions()


@pytest.mark.parametrize("scoring", ["likelihood", "letter"])
def test_a_question_with_a_mark_is_named_before_anything_is_asked(bench, tmp_path, scoring):
    path = bench / "direct_attributes" / "b.json"
    path.write_text(path.read_text().replace("The boat is black.", "The <image> is black."))
    asked = systems(("none",))
    with pytest.raises(ValueError, match=r"question direct_attributes/b.*contains <image>"):
        Benchmark(task(bench), tmp_path / "out", scoring=scoring).predict(asked)
    assert asked._answers.model.scored == [] and read_predictions(tmp_path / "out") == []


def test_a_changed_question_or_picture_is_asked_anew_and_the_others_are_not(
    bench, tmp_path, capsys
):
    out = tmp_path / "out"
    Benchmark(task(bench), out).predict(systems(("none",)))
    path = bench / "direct_attributes" / "b.json"
    path.write_text(path.read_text().replace("The boat is black.", "The boat is brown."))
    picture = bench / "relative_position" / "c.jpg"
    Image.new("RGB", (640, 480), (90, 120, 61)).save(picture)
    again = systems(("none",))
    capsys.readouterr()
    lines = Benchmark(task(bench), out).predict(again)
    asked = {memory.question for part in again._answers.model.scored for memory, _ in part}
    assert asked == {
        ANNOTATIONS[q]["question"] for q in ("direct_attributes/b", "relative_position/c")
    }
    assert "2 answers were to questions or pictures that have changed" in capsys.readouterr().err
    assert lines[1]["question"]["options"][1] == "The boat is brown." and len(lines) == 4
    assert len(read_predictions(out)) == 4


def test_a_benchmark_that_moved_is_the_same_one(bench, tmp_path):
    Benchmark(task(bench), tmp_path / "out").predict(systems(("none",)))
    bench.rename(tmp_path / "elsewhere")
    again = systems(("none",))
    assert len(Benchmark(task(tmp_path / "elsewhere"), tmp_path / "out").predict(again)) == 4
    assert not again._answers.model.scored


def test_a_picture_of_several_questions_is_read_once_for_its_digest(tmp_path, monkeypatch):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    lines = [{"id": n, "image": "a.png", "question": f"{n}?", "answers": ["red"]} for n in "xyz"]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    read = []
    digest = FolderImages.digest
    monkeypatch.setattr(
        FolderImages, "digest", lambda self, name: read.append(name) or digest(self, name)
    )
    own = task_named("own").task(str(tmp_path / "q.jsonl"))
    made = Benchmark(own, tmp_path / "out", scoring="free").predict(systems(("none",)), batch=3)
    assert len(made) == 3 and read == ["a.png"]
