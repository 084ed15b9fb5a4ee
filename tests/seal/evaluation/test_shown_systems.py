"""Systems that differ in how pictures are shown share weights and search, and no answer."""

from __future__ import annotations

import json
from copy import copy

import pytest
import yaml
from fakes import FakeAnswerModel, FakeSearchModel
from tiny_models import levelled_vqa_model, tokenizer
from vstar_folder import ANNOTATIONS, BOAT, MUG, SIGN, write_bench

from seal.evaluation.benchmark import BenchmarkRun, run_benchmark
from seal.evaluation.controls import controlled_system
from seal.evaluation.named_tasks import task_named
from seal.evaluation.run import Benchmark
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.search_scores import search_score
from seal.evaluation.shards import Shard
from seal.evaluation.shown_systems import search_part, shown_part, shown_ways, with_shown
from seal.evaluation.systems import Systems, check_systems
from seal.evaluation.task import TaskQuestion
from seal.geometry import Box
from seal.inference.answers.protocol import Cost
from seal.inference.load import load_answer_model
from seal.models.files.save import save_model
from seal.models.parts.router import RouterConfig
from seal.pipeline import ProtocolConfig

BOXES = {
    "mug": [Box.from_xywh(*MUG)], "boat": [Box.from_xywh(*BOAT)], "sign": [Box.from_xywh(*SIGN)],
}  # fmt: skip
NEEDS = {
    a["question"]: [n for n in a["target_object"] if n != "kite"] for a in ANNOTATIONS.values()
}
ANSWERS = {a["question"]: a["options"][0] for a in ANNOTATIONS.values()}


class Levelled(FakeAnswerModel):
    """Reads as many visual tokens of a picture as its level says; at 36 it sees everything at
    once, and lacks nothing."""

    counts_visual_tokens = True
    level = 576

    def __init__(self):
        super().__init__(NEEDS, ANSWERS)
        self.views = {}

    def shown_as(self, word):
        view = copy(self)
        view.level = 144 if word == "auto" else int(word)
        view.generated, view.scored, view.loss = [], [], view._loss
        self.views[word] = view
        return view

    def levels_of(self, memory):
        return (self.level,) * (1 + memory.num_crops)

    def missing(self, memory):
        return [] if self.level == 36 else super().missing(memory)

    def settings(self):
        return {"kind": "fake", "level": self.level}

    def _count(self, memories):
        super()._count(memories)
        for memory in memories:
            self.account.charge(memory, Cost(visual_tokens=self.level * (1 + memory.num_crops)))


def systems(names, **options):
    return Systems(names, Levelled(), FakeSearchModel(BOXES), protocol=ProtocolConfig(), **options)


@pytest.fixture
def task(tmp_path):
    return task_named("vstar_bench").task(str(write_bench(tmp_path / "bench")))


def plain(lines, system):
    """What a system answered and what it cost, without its seconds."""
    kept = {}
    for line in lines:
        if line["system"] == system:
            answer = {k: v for k, v in line["answer"].items() if k != "searches"}
            cost = {k: v for k, v in answer["cost"].items() if k != "seconds"}
            kept[line["id"]] = answer | {"cost": cost}
    return kept


NAMES = ("none", "none@36", "none@auto", "guided", "guided@36", "guided@auto")


def test_each_system_is_answered_as_its_pictures_are_shown_whatever_runs_beside_it(task, tmp_path):
    beside = Benchmark(task, tmp_path / "beside").predict(systems(NAMES), batch=8)
    assert len(beside) == len(NAMES) * len(ANNOTATIONS)
    for name in NAMES:
        alone = Benchmark(task, tmp_path / name).predict(systems((name,)), batch=1)
        assert plain(alone, name) == plain(beside, name)
        level = {"": 576, "36": 36, "auto": 144}[shown_part(name)]
        for answer in plain(beside, name).values():
            crops = sum(len(target["boxes"]) for target in answer["memory"])
            assert answer["levels"] == [level] * (1 + crops)
            assert answer["answered_by"]["level"] == level
            spent = answer["cost"]["answer_model"]
            assert spent["visual_tokens"] == level * spent["images"]
    # What it saw at 36 it need not search for; at other levels the search is the same.
    assert not any(answer["missing"] for answer in plain(beside, "guided@36").values())
    found = [[a["memory"] for a in plain(beside, n).values()] for n in ("guided", "guided@auto")]
    assert found[0] == found[1] and any(found[0])


def test_first_answers_are_asked_once_for_each_way_of_showing_and_kept_apart(task, tmp_path):
    several = systems(("guided@36", "guided@144", "zoom_eye@144", "oracle@144"))
    model = several._answers.model
    Benchmark(task, tmp_path / "out").predict(several)
    for word, view in model.views.items():
        first = [m for part in view.generated for m in part if not m.targets]
        assert len(first) == len(ANNOTATIONS), word
    assert model.generated == []  # nobody asked as the run shows pictures


def test_a_control_is_shown_pictures_as_the_system_it_controls(task, tmp_path):
    names = ("none@144", "guided@144", "crop_black@144", "random_crop@144", "oracle@144")
    several = systems(names)
    lines = Benchmark(task, tmp_path / "out").predict(several)
    assert several.control_of == "guided" and several.search_of("crop_black@144") == "guided"
    told = [line for line in lines if line["system"] == "crop_black@144"]
    assert {line["control_of"] for line in told} == {"guided@144"}
    assert any("withheld" in line["answer"] for line in told)
    assert any(line["answer"]["levels"] == [144] * 3 for line in told)
    metrics = benchmark_metrics(task, lines, baseline="none@144")
    assert set(metrics["controls"]) == {"crop_black@144", "random_crop@144", "oracle@144"}
    told = metrics["controls"]["random_crop@144"]
    assert (told["of"], told["baseline"]) == ("guided@144", "none@144") and "touching" in told
    assert told["splits"]["overall"]["verdict"] is not None
    assert "guided@144_vs_none@144" in metrics["paired"]
    assert metrics["costs"]["none@144"]["visual_tokens"]["value"] == 144


def test_two_ways_to_show_pictures_are_compared_question_by_question(task, tmp_path):
    lines = Benchmark(task, tmp_path / "out").predict(systems(("none@36", "none@auto")))
    metrics = benchmark_metrics(task, lines, baseline="none@auto")
    difference = metrics["paired"]["none@36_vs_none@auto"]["overall"]["difference"]
    assert difference["value"] > 0
    question = TaskQuestion.from_dict(lines[0]["question"])
    assert "searched" not in search_score(question, lines[0])  # `none@36` does not search


def test_parts_of_a_name():
    assert (search_part("guided@36"), shown_part("guided@36")) == ("guided", "36")
    assert (search_part("guided"), shown_part("guided")) == ("guided", "")
    assert with_shown("guided", "crop_black@36") == "guided@36"
    assert with_shown("guided", "crop_black") == "guided"
    assert shown_ways(["none@36", "none", "guided@36", "none@consistent"]) == ["36", "consistent"]


@pytest.mark.parametrize("wrong", ["none@", "guided@finest", "none@36@72"])
def test_what_is_no_way_to_show_pictures_is_refused_with_the_system(wrong):
    with pytest.raises(ValueError, match=f"system {wrong}: pictures are shown as auto, at a"):
        check_systems(["none", wrong])


def test_systems_are_told_apart_by_name_and_by_what_is_shown():
    check_systems(["none", "none@36", "oracle@36", "oracle_crop@72"])
    for twice in (["none@36", "none@36"], ["oracle@36", "oracle_crop@36"]):
        with pytest.raises(ValueError, match="each once"):
            check_systems(twice)
    with pytest.raises(ValueError, match="'gided'"):
        check_systems(["gided@36"])
    with pytest.raises(ValueError, match="in several ways"):
        controlled_system(["guided", "crop_black@36", "random_crop"], None)


def test_an_answer_model_that_shows_pictures_in_one_way_refuses_in_one_line():
    with pytest.raises(ValueError, match=r"^@36: pictures can be shown in several ways by .*$"):
        Systems(["none@36"], FakeAnswerModel(), None, protocol=ProtocolConfig())


def test_a_run_names_its_ways_and_what_it_needs_for_its_searches():
    run = {"benchmark": "b", "vqa": "v", "out": "o"}
    made = BenchmarkRun(**run, vsm="s", systems=["none@36", "guided@auto"], granularity=72)
    assert made.shown == ["72", "36", "auto"] and made.needs_vsm
    assert BenchmarkRun(**run, systems=["none@36"]).shown == ["36"]
    with pytest.raises(ValueError, match="baseline=guided@36 is none"):
        BenchmarkRun(**run, systems=["none@36"], baseline="guided@36")
    with pytest.raises(ValueError, match="set vsm=FOLDER"):
        BenchmarkRun(**run, systems=["guided@36"])
    with pytest.raises(ValueError, match="granularity='coarse' is neither auto nor a level"):
        BenchmarkRun(**run, systems=["none"], granularity="coarse")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    router = RouterConfig(text_tokens=4, num_heads=4)
    model = levelled_vqa_model(3, router=router, resampler=True)
    save_model(place / "levels", model, tokenizer().folder)
    write_bench(place / "bench")
    return place


def run_of(folders, out, systems, **options):
    return BenchmarkRun(
        benchmark=str(folders / "bench"),
        vqa=str(folders / "levels"),
        systems=systems,
        device="cpu",
        out=str(out),
        **options,
    )


def test_a_run_keeps_the_level_of_each_picture_and_what_reading_it_cost(folders, tmp_path):
    names = ["none@auto", "none@16", "oracle@consistent", "oracle@router"]
    metrics = run_benchmark(run_of(folders, tmp_path, names, baseline="none@16"))
    lines = [json.loads(line) for line in (tmp_path / "predictions.jsonl").open()]
    by = {name: [li["answer"] for li in lines if li["system"] == name] for name in names}
    assert all(answer["levels"] == [16] for answer in by["none@16"])
    assert all("levels" not in answer for answer in by["oracle@consistent"])
    for name in ("none@auto", "oracle@router"):
        for answer in by[name]:
            crops = sum(len(target["boxes"]) for target in answer["memory"])
            assert len(answer["levels"]) == 1 + crops and {*answer["levels"]} <= {1, 2, 4, 8, 16}
            assert answer["cost"]["answer_model"]["visual_tokens"] == sum(answer["levels"])
    assert metrics["costs"]["none@16"]["visual_tokens"]["value"] == 16
    assert "none@auto_vs_none@16" in metrics["paired"]
    settings = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert "granularity" not in settings  # as in folders of before there was a choice


def test_a_run_with_a_granularity_says_so_and_holds_no_others_answers(folders, tmp_path):
    run_benchmark(run_of(folders, tmp_path, ["none"], granularity="2"))
    lines = [json.loads(line) for line in (tmp_path / "predictions.jsonl").open()]
    assert all(line["answer"]["levels"] == [2] for line in lines)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["granularity"] == "2"
    with pytest.raises(ValueError, match=r"granularity='2', not '4'"):
        run_benchmark(run_of(folders, tmp_path, ["none"], granularity="4"))
    for systems, granularity in ((["none"], "3"), (["none@3"], None)):
        with pytest.raises(ValueError, match=r"granularity=3 is no level of .*levels, which has"):
            run_benchmark(run_of(folders, tmp_path / "o", systems, granularity=granularity))
    assert not (tmp_path / "o").exists()


def test_processes_share_out_a_run_and_read_the_same_levels(folders, tmp_path):
    class Place(Shard):
        def wait(self):
            pass

    def asked(out, batch, *shards):
        task = task_named("vstar_bench").task(str(folders / "bench"))
        for shard in shards:
            answers = load_answer_model(folders / "levels", device="cpu")
            names = ("none@auto", "oracle@auto", "none@consistent")
            several = Systems(names, answers, None, protocol=ProtocolConfig())
            lines = Benchmark(task, out).predict(several, batch=batch, shard=shard)
        for line in lines:
            for name in ("losses", "probabilities"):
                line["answer"][name] = [round(value, 4) for value in line["answer"][name]]
        return {name: plain(lines, name) for name in names}

    one = asked(tmp_path / "one", 8, Shard())
    assert one == asked(tmp_path / "two", 1, Place(1, 2), Place(0, 2))
    assert any(answer["levels"] for answer in one["none@auto"].values())


def test_a_protocols_rule_for_two_projectors_is_none_of_a_model_with_a_router(folders):
    released = ProtocolConfig.named("as_released")
    answers = load_answer_model(
        folders / "levels", device="cpu", token_policy=released.token_policy,
        no_search_image=released.no_search_image,
    )  # fmt: skip
    told = answers.settings()
    assert (told["token_policy"], told["granularity"]) == ("router", "auto")
    assert told["no_search_image"] == "padded"
