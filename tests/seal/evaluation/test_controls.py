"""Controls search as the system they control does, and show as many crops that say less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image
from vstar_folder import ANNOTATIONS, BOAT, MUG, SIGN, write_bench

from seal.evaluation.benchmark import BenchmarkRun, run_benchmark
from seal.evaluation.controls import CONTROLS, RandomCrop, build_control, controlled_system
from seal.evaluation.first_answers import FirstAnswers
from seal.evaluation.first_searches import FirstSearches
from seal.evaluation.named_tasks import task_named
from seal.evaluation.run import Benchmark
from seal.evaluation.shards import Shard
from seal.evaluation.store import read_predictions
from seal.evaluation.systems import Systems, check_systems
from seal.geometry import Box
from seal.images import context_box
from seal.inference.answers.protocol import Cost
from seal.pipeline import ProtocolConfig, Question
from seal.search.locator import LocateRequest
from seal.search.result import SearchResult
from seal.working_memory import MemoryTarget, VisualWorkingMemory

BOXES = {
    "mug": [Box.from_xywh(*MUG)], "boat": [Box.from_xywh(*BOAT)], "sign": [Box.from_xywh(*SIGN)],
}  # fmt: skip
NEEDS = {
    a["question"]: [n for n in a["target_object"] if n != "kite"] for a in ANNOTATIONS.values()
}
ANSWERS = {a["question"]: a["options"][0] for a in ANNOTATIONS.values()}
SIZE = (640, 480)
PICTURE = Image.new("RGB", SIZE)
ASKED = Question(PICTURE, "What is it?")


def task(folder):
    return task_named("vstar_bench").task(str(folder))


def systems(names, **options):
    answers = FakeAnswerModel(NEEDS, ANSWERS)
    return Systems(names, answers, FakeSearchModel(BOXES), protocol=ProtocolConfig(), **options)


@pytest.fixture
def bench(tmp_path):
    return write_bench(tmp_path / "bench")


def lines_of(lines, system):
    return {line["id"]: line for line in lines if line["system"] == system}


def memory_of(*boxes: Box, name: str = "mug") -> VisualWorkingMemory:
    return VisualWorkingMemory("What is it?", PICTURE, (MemoryTarget(name, boxes),))


def window(box: Box) -> tuple[int, int, int, int]:
    return context_box(box, *SIZE)


def touches(box: Box, others: Sequence[Box]) -> bool:
    left, top, right, bottom = window(box)
    return any(
        min(right, o.x1) > max(left, o.x0) and min(bottom, o.y1) > max(top, o.y0) for o in others
    )


def test_random_crops_are_as_large_and_touch_neither_the_truth_nor_what_was_found():
    rng = np.random.default_rng(0)
    places = []
    for _ in range(60):
        width, height = rng.integers(4, 150, 2)
        # Not at the border: their crops are whole, so there must be as large ones elsewhere.
        x0, y0 = rng.integers(40, 640 - 230), rng.integers(40, 480 - 230)
        box = Box.from_xywh(float(x0), float(y0), float(width), float(height))
        true = [Box.from_xywh(float(x0) + 20, float(y0), 30, 30)]
        control = RandomCrop(lambda question, true=true: true)
        shown = control(ASKED, memory_of(box))
        (moved,) = shown.targets[0].boxes
        assert (moved.width, moved.height) == (box.width, box.height)
        assert moved.x0 >= 0 and moved.x1 <= 640 and moved.y0 >= 0 and moved.y1 <= 480
        left, top, right, bottom = window(box)
        there = window(moved)
        assert (there[2] - there[0], there[3] - there[1]) == (right - left, bottom - top)
        assert not touches(moved, [*true, box])
        assert control(ASKED, memory_of(box)) == shown
        places.append((moved.x0, moved.y0))
    assert len(set(places)) == len(places)
    assert np.std([x for x, _ in places]) > 100 and np.std([y for _, y in places]) > 70


def test_a_random_crop_depends_on_seed_question_and_box_alone():
    first, second = Box(10, 10, 50, 40), Box(400, 300, 440, 330)
    control = build_control("random_crop", lambda question: ())

    def moved(control, question, *boxes):
        return control(question, memory_of(*boxes)).targets[0].boxes

    alone = moved(control, ASKED, first)
    worded = Question(PICTURE, ASKED.text, final_texts=("What is it? A. red B. blue",))
    assert moved(control, worded, first) == alone
    assert moved(build_control("random_crop", lambda question: (), seed=1), ASKED, first) != alone
    assert moved(control, Question(PICTURE, "Where is it?"), first) != alone
    a, b = moved(control, ASKED, first, second)
    assert a != b and not touches(a, [second]) and not touches(b, [first])


def test_where_there_is_no_room_a_random_crop_touches_as_little_as_it_can():
    whole = Box(0, 0, *SIZE)
    control = RandomCrop(lambda question: [whole])
    assert control(ASKED, memory_of(whole)).targets[0].boxes == (whole,)
    half, true = Box(0, 0, 400, 480), Box(0, 0, 200, 480)
    (moved,) = RandomCrop(lambda question: [true])(ASKED, memory_of(half)).targets[0].boxes
    assert moved.width == 400 and moved.x0 > 150  # the crop begins 40 pixels before its box


def test_what_was_not_found_and_what_has_no_picture_stays_as_it_is():
    control = RandomCrop(lambda question: ())
    for memory in (
        VisualWorkingMemory("What?", None, (MemoryTarget("mug"),)),
        VisualWorkingMemory("What?", PICTURE, (MemoryTarget("mug"),)),
        VisualWorkingMemory("What?", PICTURE),
    ):
        assert control(ASKED, memory) == memory


def test_controls_show_as_many_crops_for_the_same_search_and_answer_without_seeing(bench, tmp_path):
    names = ("guided", *CONTROLS)
    some = systems(names)
    lines = Benchmark(task(bench), tmp_path / "out").predict(some)
    real = lines_of(lines, "guided")
    for name in CONTROLS:
        for key, line in lines_of(lines, name).items():
            answer, controlled = line["answer"], real[key]["answer"]
            assert line["control_of"] == "guided" and "control_of" not in real[key]
            assert answer["searches"] == controlled["searches"]
            for part in ("visits", "calls", "answer_model", "planner"):
                assert answer["cost"][part] == controlled["cost"][part]
            boxes = [[len(t["boxes"]) for t in a["memory"]] for a in (answer, controlled)]
            assert boxes[0] == boxes[1]
            assert (answer["memory"] == controlled["memory"]) is (name != "random_crop")
    key = "relative_position/c"
    whole, place = "[0.000,0.125,1.000,0.875]", "at location [0.062,"
    prompts = {name: lines_of(lines, name)[key]["prompt"] for name in names}
    assert place in prompts["guided"] and prompts["crop_black_placed"] == prompts["guided"]
    assert prompts["crop_black"].count(whole) == 2 and place not in prompts["crop_black"]
    assert prompts["random_crop"].count("at location") == 2 and place not in prompts["random_crop"]
    assert lines_of(lines, "crop_black")[key]["answer"]["withheld"] == ["pixels", "places"]
    assert lines_of(lines, "crop_black_placed")[key]["answer"]["withheld"] == ["pixels"]
    assert "withheld" not in real[key]["answer"]


def test_controls_search_no_more_than_the_system_alone(bench, tmp_path):
    alone, beside = systems(("guided",)), systems(("guided", *CONTROLS))
    Benchmark(task(bench), tmp_path / "alone").predict(alone)
    Benchmark(task(bench), tmp_path / "beside").predict(beside)
    assert beside.search_model.batches == alone.search_model.batches
    first = [m for part in beside._answers.model.generated for m in part if not m.targets]
    assert len(first) == len(ANNOTATIONS)


def test_a_control_alone_is_what_it_is_beside_its_system(bench, tmp_path):
    def plain(lines):
        for line in lines:
            line["answer"]["cost"].pop("seconds")
            line["answer"]["searches"] = [
                {k: v for k, v in search.items() if k != "seconds"}
                for search in line["answer"]["searches"]
            ]
        return lines

    beside = Benchmark(task(bench), tmp_path / "beside").predict(
        systems(("none", "guided", "random_crop")), batch=4
    )
    alone = Benchmark(task(bench), tmp_path / "alone").predict(
        systems(("random_crop",), control_of="guided"), batch=4
    )
    assert plain(alone) == plain([line for line in beside if line["system"] == "random_crop"])

    class Place(Shard):
        def wait(self):
            pass

    for rank in (1, 0):
        shared = Benchmark(task(bench), tmp_path / "shards").predict(
            systems(("random_crop",), control_of="guided"), batch=1, shard=Place(rank, 2)
        )
    memories = [[line["answer"]["memory"] for line in lines] for lines in (shared, alone)]
    assert memories[0] == memories[1]


def test_the_oracle_is_a_control_by_another_name(bench, tmp_path):
    lines = Benchmark(task(bench), tmp_path / "out").predict(
        systems(("oracle_crop", "crop_black"), control_of="oracle")
    )
    oracle = Benchmark(task(bench), tmp_path / "oracle").predict(systems(("oracle",)))
    for key, line in lines_of(lines, "oracle_crop").items():
        assert line["answer"]["losses"] == lines_of(oracle, "oracle")[key]["answer"]["losses"]
        assert lines_of(lines, "crop_black")[key]["control_of"] == "oracle"
    with pytest.raises(ValueError, match="oracle_crop is another name of oracle"):
        check_systems(["oracle", "oracle_crop"])


def test_another_system_to_control_asks_the_controls_anew_and_nothing_else(bench, tmp_path, capsys):
    names = ("guided", "sequential_bfs", "crop_black")
    benchmark = Benchmark(task(bench), tmp_path)
    benchmark.predict(systems(names))
    again = systems(names, control_of="sequential_bfs")
    lines = benchmark.predict(again)
    scored = [memory for part in again._answers.model.scored for memory, _ in part]
    assert len(scored) == len(ANNOTATIONS) and all(m.crops_black for m in scored if m.targets)
    assert {line["control_of"] for line in lines if line["system"] == "crop_black"} == {
        "sequential_bfs"
    }
    assert len(read_predictions(tmp_path)) == 3 * len(ANNOTATIONS)
    assert "4 answers were to" in capsys.readouterr().err


class Asking:
    """A locator of questions that asks the answer model for each of its regions."""

    by_question = True

    def __init__(self, model):
        self.model, self.batches, self.forgotten = model, [], []

    def locate(self, requests):
        self.batches.append(len(requests))
        self.model.generate([VisualWorkingMemory(r.question, r.image) for r in requests])
        box = Box(0, 0, 50, 50)
        return [
            SearchResult(target=r.target, strategy="part", found=True, boxes=[box], scores=[1.0],
                         image_size=r.image.size)
            for r in requests
        ]  # fmt: skip

    def forget(self, image):
        self.forgotten.append(image)


def test_a_search_that_asks_the_answer_model_is_made_once_and_charged_to_each():
    answers = FirstAnswers(FakeAnswerModel())
    inner = Asking(answers.model)
    locator = FirstSearches(inner, answers)
    other = Image.new("RGB", SIZE)
    requests = [LocateRequest(PICTURE, "", text) for text in ("What is this?", "And that?")]
    first = locator.locate(requests)
    cost = answers.cost
    assert locator.by_question and cost.calls == 2
    assert locator.locate(requests) == first and inner.batches == [2, 0]
    assert answers.cost - cost == cost and answers.model.cost == cost
    locator.locate([requests[0], LocateRequest(other, "", requests[0].question)])
    assert inner.batches == [2, 0, 1]
    locator.forget(PICTURE)
    locator.locate(requests)
    assert inner.batches[-1] == 2 and inner.forgotten == [PICTURE]


def test_a_search_is_charged_again_to_whoever_it_was_asked_for():
    class Owing(Asking):
        def locate(self, requests):
            for request in requests[::2]:  # both targets of a question share what it costs
                self.model.account.charge(request, Cost(calls=len(request.question)))
            return super().locate(requests)

    answers = FirstAnswers(FakeAnswerModel())
    locator = FirstSearches(Owing(answers.model), answers)
    requests = [
        LocateRequest(PICTURE, name, text, 2, asked_for=owner)
        for owner, text in enumerate(("What is this?", "And that?", "What is this?"))
        for name in ("mug", "boat")
    ]
    locator.locate(requests)
    first = {owner: replace(cost) for owner, cost in answers.account.by_owner.items()}
    assert [cost.calls for cost in first.values()] == [13, 9, 13]
    answers.account.by_owner.clear()
    before = answers.cost
    locator.locate(requests)
    assert answers.account.by_owner == first
    assert (answers.cost - before).calls == 13 + 9 + 13 + 6  # and a pass of nobody's for each


@pytest.mark.parametrize(
    ("names", "control_of", "expected"),
    [
        (["none", "oracle", "guided", "zoom_eye", "crop_black"], None, "guided"),
        (["vicrop_rel_att", "random_crop"], None, "vicrop_rel_att"),
        (["guided", "zoom_eye", "crop_black"], "zoom_eye", "zoom_eye"),
        (["crop_black"], "oracle", "oracle"),
        (["guided", "none"], None, None),
    ],
)
def test_controls_are_of_the_first_search_or_of_the_one_that_is_named(names, control_of, expected):
    assert controlled_system(names, control_of) == expected


def test_a_system_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"'crop_blak'.* guided, .*controls are random_crop, "):
        check_systems(["none", "crop_blak"])


def test_a_control_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"crop_black controls a search; name that search"):
        controlled_system(["none", "oracle", "crop_black"], None)
    for wrong in ("none", "crop_black", "gided"):
        with pytest.raises(ValueError, match=f"control_of='{wrong}' is no search to control"):
            controlled_system(["guided"], wrong)
    run = {"benchmark": "b", "vqa": "v", "out": "o"}
    with pytest.raises(ValueError, match="search with a model: set vsm=FOLDER"):
        BenchmarkRun(**run, systems=["crop_black"], control_of="guided")
    assert not BenchmarkRun(**run, systems=["crop_black"], control_of="oracle").needs_search_model


@pytest.mark.parametrize(
    "options",
    [
        {"systems": ["none", "oracle_crop"]},
        {"systems": ["none", "crop_black"], "control_of": "oracle"},
    ],
)
def test_known_boxes_are_refused_where_nothing_is_annotated(tmp_path, options):
    file = tmp_path / "mine.jsonl"
    file.write_text('{"id": "a", "question": "Which?", "options": ["x", "y"], "answer": "x"}\n')
    run = BenchmarkRun(task="own", benchmark=str(file), vqa="v", out=str(tmp_path / "o"), **options)
    says = rf"{options['systems'][1]} would be told .*no question of .*mine\.jsonl has annotated"
    with pytest.raises(ValueError, match=says):
        run_benchmark(run)
