"""The whole pipeline on tiny random models: from folders, one by one and many at a time."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from dataclasses import replace

import pytest
import torch
from golden_files import SAMPLES, needs_samples
from tiny_models import noise, tokenizer, vqa_model, vsm_model

from seal.evaluation.named_tasks import task_named
from seal.images import open_image
from seal.inference import load
from seal.inference.load import load_models, load_search_model
from seal.models.files.save import save_model
from seal.models.fit.memory import Need, expected_need
from seal.pipeline import Question, Seal
from seal.pipeline.planner import PlannerConfig, ask
from seal.search.config import ExpertFirstConfig, SearchConfig
from seal.search.trace import to_dict
from seal.search.zoom_eye_config import ZoomEyeConfig
from seal.working_memory import VisualWorkingMemory


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    save_model(place / "vqa", vqa_model(), tokenizer().folder)
    save_model(place / "vsm", vsm_model(), tokenizer().folder)
    return place


@pytest.fixture(scope="module")
def seal(folders):
    # Nothing a random model sees convinces it, so every search goes through the whole tree.
    config = SearchConfig(min_size=40, min_size_scale=8, confidence_high=1, confidence_low=0)
    return Seal.from_pretrained(
        folders / "vqa", folders / "vsm", device="cpu", search_config=config
    )


def questions():
    images = [noise(120, 90), noise(64, 160, seed=1)]
    return [
        Question(images[0], "Is the boat red?", ("yes", "no")),
        Question(images[0], "Where?", ("left", "right"), targets=("red boat",)),
        Question(images[1], "Where is it?", targets=("mug", "boat")),
        Question(images[1], "What?", ("a", "b", "c"), targets=("mug", "boat", "water")),
        Question(None, "Is water blue?", ("yes", "no")),
        Question(None, "Is water blue?"),
    ]


def test_many_questions_get_the_answers_each_gets_alone(seal):
    together = seal.ask_many(questions())
    for question, answer in zip(questions(), together, strict=True):
        (alone,) = seal.ask_many([question])
        assert (answer.text, answer.first_text, answer.missing) == (
            alone.text, alone.first_text, alone.missing,
        )  # fmt: skip
        assert answer.losses == pytest.approx(alone.losses, abs=1e-5)
        visits = [[node.box for node in r.path] for r in (*answer.searches, *alone.searches)]
        assert visits[: len(answer.searches)] == visits[len(answer.searches) :]
    assert [len(answer.searches) for answer in together] == [0, 1, 2, 3, 0, 0]
    assert [answer.memory.num_crops for answer in together] == [0, 1, 2, 3, 0, 0]


def test_the_search_model_says_down_to_what_size_it_searches(folders):
    config = load_search_model(folders / "vsm", device="cpu").search_config()
    assert config.min_size == vsm_model().config.search_min_size
    assert config.confidence_high == SearchConfig().confidence_high


def test_each_folder_must_hold_what_is_asked_of_it(folders):
    with pytest.raises(ValueError, match="holds a VQAModel, not a search model"):
        Seal.from_pretrained(None, folders / "vqa", device="cpu")
    with pytest.raises(ValueError, match="holds a VSM, not a VQA LLM"):
        Seal.from_pretrained(folders / "vsm", None, search="none", device="cpu")


@pytest.mark.parametrize("quantization", [None, "int8", "nf4"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_precision_says_and_finds_nearly_the_same(folders, dtype, quantization):
    asked = (noise(), "Is it red?", ["yes", "no"], ["boat"])
    exact, rounded = (
        Seal.from_pretrained(folders / "vqa", folders / "vsm", device="cpu", **options).ask(*asked)
        for options in ({}, {"dtype": dtype, "quantization": quantization})
    )
    assert rounded.losses == pytest.approx(exact.losses, abs=0.01)
    assert (rounded.losses == exact.losses) == (dtype == torch.float32 and quantization is None)
    one, other = (answer.searches[0].boxes[0] for answer in (exact, rounded))
    corners = ([box.x0, box.y0, box.x1, box.y1] for box in (one, other))
    assert next(corners) == pytest.approx(next(corners), abs=0.1)  # pixels of 120


def test_towers_of_the_same_weights_become_one_object(tmp_path):
    vqa, vsm = vqa_model(0), vsm_model(1)
    for same in (False, True):
        if same:
            vsm.vision_tower.load_state_dict(vqa.vision_tower.state_dict())
        for name, model in (("vqa", vqa), ("vsm", vsm)):
            save_model(tmp_path / name, model, tokenizer().folder)
        answers, search = load_models(tmp_path / "vqa", tmp_path / "vsm", device="cpu")
        assert (answers.model.vision_tower is search.model.vision_tower) == same


def test_what_it_will_take_is_told_before_anything_is_loaded(folders, monkeypatch):
    lines: list[str] = []

    def stop(*_args, **_options):
        raise RuntimeError("loading")

    monkeypatch.setattr(load, "load_model", stop)
    with pytest.raises(RuntimeError, match="loading"):
        Seal.from_pretrained(folders / "vqa", folders / "vsm", device="cpu", tell=lines.append)
    assert lines[0] == "expected memory (float32), MiB:"
    assert any("search model: language model" in line for line in lines)


def test_models_that_do_not_fit_are_refused_with_what_would(folders, monkeypatch):
    monkeypatch.setattr(load, "free_bytes", lambda device: 50_000)
    monkeypatch.setattr(load, "load_model", None)
    with pytest.raises(ValueError, match=r"weights in bfloat16 are .* free on cpu: use a larger"):
        load_models(folders / "vqa", folders / "vsm", device="cpu", dtype=torch.bfloat16)
    monkeypatch.setattr(load, "free_bytes", lambda device: 10**10)
    monkeypatch.setattr(load, "expected_need", expensive)
    monkeypatch.setattr(load, "stored_dtype", lambda folder: torch.float16)
    with pytest.raises(ValueError, match=r"use quantization=int8 .* or quantization=nf4 .* or dty"):
        load_models(folders / "vqa", folders / "vsm", device="cpu")


def expensive(configs, setting, **options):
    """As if the models were a million times as large."""
    need = expected_need(configs, setting, **options)
    factor = 1 if setting.quantization else 10**6
    return Need({part: size * factor for part, size in need.parts.items()}, need.question)


def test_a_search_model_without_its_added_tokens_is_refused(folders, tmp_path):
    shutil.copytree(folders / "vsm", tmp_path / "vsm")
    (tmp_path / "vsm" / "added_tokens.json").unlink()
    with pytest.raises(ValueError, match=r"vsm: the tokenizer has no <im_start>, .*, \[LOC\]; "):
        load_search_model(tmp_path / "vsm", device="cpu")


def test_a_tokenizer_with_more_tokens_than_the_model_has_is_refused(folders, tmp_path):
    shutil.copytree(folders / "vqa", tmp_path / "vqa")
    added = tmp_path / "vqa" / "added_tokens.json"
    tokens = json.loads(added.read_text())
    added.write_text(json.dumps(tokens | {"<more>": max(tokens.values()) + 1}))
    with pytest.raises(ValueError, match="are these files of one model"):
        load_models(tmp_path / "vqa", None, device="cpu")


def test_a_device_that_is_not_here_is_named(folders, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert load.existing_device() == load.existing_device("cuda") == "cuda"
    with pytest.raises(ValueError, match="device=cuda:1, but there is 1 GPU here"):
        load.existing_device("cuda:1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device=cuda, but there is no GPU here"):
        load_models(folders / "vqa", None, device="cuda")
    with pytest.raises(ValueError, match="device='gpu' is none"):
        load_models(folders / "vqa", None, device="gpu")


def test_what_pytorch_holds_for_later_counts_as_free(monkeypatch):
    """Models that were let go of leave their memory with PyTorch, not with the driver."""
    for name, value in (
        ("mem_get_info", (100, 1000)), ("memory_reserved", 70), ("memory_allocated", 30)
    ):  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, lambda place, value=value: value)
    assert load.free_bytes("cuda:1") == 140


def test_towers_of_other_sizes_are_expected_both(folders, tmp_path):
    def told(vsm) -> int:
        lines: list[str] = []
        load_models(folders / "vqa", vsm, device="cpu", tell=lines.append)
        return sum("vision tower" in line for line in lines)

    other = vsm_model()
    other.config.vision = replace(other.config.vision, intermediate_size=48)
    save_model(tmp_path / "vsm", other.config.build(), tokenizer().folder)
    assert (told(folders / "vsm"), told(tmp_path / "vsm")) == (1, 2)


def test_blocks_on_the_host_change_no_answer(folders):
    whole, partly = (
        Seal.from_pretrained(folders / "vqa", folders / "vsm", device="cpu", offload=count)
        for count in (0, 2)
    )
    asked = (noise(), "Is it red?", ["yes", "no"], ["boat"])
    one, other = whole.ask(*asked), partly.ask(*asked)
    assert one.losses == other.losses
    traces = [[to_dict(r) | {"seconds": 0} for r in answer.searches] for answer in (one, other)]
    assert traces[0] == traces[1]
    with pytest.raises(ValueError, match="offload='most'"):
        Seal.from_pretrained(folders / "vqa", folders / "vsm", device="cpu", offload="most")


def test_half_of_the_pipeline_works_alone(folders):
    finder = Seal.from_pretrained(None, folders / "vsm", device="cpu", search="sequential_bfs")
    result = finder.locate(noise(), "the red boat")
    assert result.strategy == "sequential_bfs" and len(result.path) >= 1
    speaker = Seal.from_pretrained(folders / "vqa", None, search="none", device="cpu")
    answer = speaker.ask(noise(), "Is it red?", ["yes", "no"])
    assert len(answer.losses) == 2 and answer.searches == []


@pytest.mark.parametrize("search", ["expert_first", "zoom_eye"])
def test_a_search_that_asks_the_question_is_batched_and_keeps_no_image(folders, search):
    config = SearchConfig(
        min_size=60, min_size_scale=8, confidence_high=1, confidence_low=0,
        use_contextual_cue=False,
        expert_first=ExpertFirstConfig(sure_above=1.0), zoom_eye=ZoomEyeConfig(stop_threshold=1.0),
    )  # fmt: skip
    asking = Seal.from_pretrained(
        folders / "vqa", folders / "vsm", device="cpu", search=search, search_config=config
    )
    together = asking.ask_many(questions()[:3])
    for question, answer in zip(questions()[:3], together, strict=True):
        (alone,) = asking.ask_many([question])
        assert answer.losses == pytest.approx(alone.losses, abs=1e-4)
        for one, other in zip(answer.searches, alone.searches, strict=True):
            assert [node.box for node in one.path] == [node.box for node in other.path]
            assert one.calls == other.calls and one.calls["answering"] >= 1
            for node, same in zip(one.path, other.path, strict=True):
                assert node.confidences == pytest.approx(same.confidences, abs=1e-5)
    # Without a question, and without anything to put it to.
    result = Seal.from_pretrained(
        None, folders / "vsm", device="cpu", search=search, search_config=config
    ).locate(noise(), "boat")
    assert "answering" not in result.calls and result.path
    image = noise()
    alive = weakref.ref(image)
    asking.ask(image, "Where?", ["left", "right"], targets=["boat", "mug"])
    del image
    gc.collect()
    assert alive() is None


def test_half_precision_goes_through_the_whole_pipeline(folders):
    half = Seal.from_pretrained(
        folders / "vqa", folders / "vsm", device="cpu", dtype=torch.bfloat16
    )
    answer = half.ask(noise(), "Where?", ["left", "right"], targets=["boat"])
    assert len(answer.losses) == 2 and all(0 < loss < 100 for loss in answer.losses)


def test_no_image_is_kept_once_it_was_asked_about(seal):
    image = noise()
    alive = weakref.ref(image)
    seal.ask(image, "Where?", ["left", "right"], targets=["boat"])
    seal.locate(image, "mug")
    del image
    gc.collect()
    assert alive() is None
    search_model = seal.locator.model.parts["detect"]
    assert not search_model._crops._crops and not search_model._crops.pool.num_used
    assert not seal.answer_model._pictures


def test_changed_pixels_of_the_same_image_give_another_answer(seal):
    image, other = noise(), noise(seed=7)
    asked = {"options": ["left", "right"], "targets": ["boat"]}
    before = seal.ask(image, "Where?", **asked), seal.locate(image, "mug")
    image.paste(other)
    after = seal.ask(image, "Where?", **asked), seal.locate(image, "mug")
    fresh = seal.ask(other, "Where?", **asked), seal.locate(other, "mug")
    assert after[0].losses == fresh[0].losses != before[0].losses
    assert after[1].best_score == fresh[1].best_score != before[1].best_score


def test_images_are_forgotten_also_when_a_call_fails(seal, monkeypatch):
    def fail(requests):
        raise FloatingPointError("no number")

    monkeypatch.setattr(seal.answer_model, "loglikelihood", fail)
    with pytest.raises(FloatingPointError):
        seal.ask(noise(), "Where?", ["left", "right"], targets=["boat"])
    search_model = seal.locator.model.parts["detect"]
    assert not search_model._crops._crops and not search_model._crops.pool.num_used
    assert not seal.answer_model._pictures


@needs_samples
def test_native_photographs_of_the_benchmark_go_through(seal):
    task = task_named("vstar_bench").task(str(SAMPLES / "vstar_bench"), require_images=False)
    shown = [q for q in task.questions() if task.images.has(q.image)]
    assert shown
    for question in shown:
        image = open_image(SAMPLES / "vstar_bench" / question.image)
        for target in question.targets:
            (box,) = target.boxes
            assert 0 <= box.x0 < box.x1 <= image.width and 0 <= box.y0 < box.y1 <= image.height
    names = tuple(target.name for target in shown[0].targets)
    image = open_image(SAMPLES / "vstar_bench" / shown[0].image)
    (answer,) = seal.ask_many([Question(image, shown[0].text, shown[0].options, targets=names)])
    assert len(answer.losses) == len(shown[0].options)
    assert [result.target for result in answer.searches] == list(names)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_what_the_cpu_gives(seal, folders):
    config = seal.locator.strategy.config
    on_gpu = Seal.from_pretrained(
        folders / "vqa", folders / "vsm", device="cuda", search_config=config
    )
    for here, there in zip(seal.ask_many(questions()), on_gpu.ask_many(questions()), strict=True):
        assert there.losses == pytest.approx(here.losses, abs=1e-3)
        assert [len(r.path) for r in there.searches] == [len(r.path) for r in here.searches]


def test_a_model_that_is_asked_plans_alone_as_among_others(folders, monkeypatch):
    model, _ = load_models(folders / "vqa", None, device="cpu")
    asked = [
        VisualWorkingMemory("Is the boat red?", noise(120, 90)),
        VisualWorkingMemory("What color is the mug in the water?", noise(64, 160, seed=1)),
        VisualWorkingMemory("Where?", noise(30, 30, seed=2)),
    ]
    config = PlannerConfig(name="ask", min_mass=0.0, max_new_tokens=12)
    # To the tiny tokenizer Yes and No begin alike, so the first answers are asked for in words.
    worded = config.build(model).plan(asked)
    assert [plan.confidence for plan in worded] == [None] * 3
    assert worded == [config.build(model).plan([memory])[0] for memory in asked]
    monkeypatch.setattr(ask, "YES_NO", ("A", "B"))
    together = config.build(model).plan(asked)
    for memory, plan in zip(asked, together, strict=True):
        (alone,) = config.build(model).plan([memory])
        assert 0 < plan.confidence < 1
        assert plan.confidence == pytest.approx(alone.confidence, abs=1e-5)
        assert replace(plan, confidence=None) == replace(alone, confidence=None)
