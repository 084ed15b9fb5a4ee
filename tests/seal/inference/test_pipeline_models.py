"""The whole pipeline on tiny random models: from folders, one by one and many at a time."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from golden_files import SAMPLES, needs_samples
from tiny_models import noise, tokenizer, vqa_model, vsm_model

from seal.evaluation.tasks.vstar_bench import VStarBenchConfig
from seal.images import open_image
from seal.inference.load import load_search_model
from seal.models.load import save_model
from seal.pipeline import Question, Seal
from seal.search.config import SearchConfig


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


def test_half_of_the_pipeline_works_alone(folders):
    finder = Seal.from_pretrained(None, folders / "vsm", device="cpu", search="sequential_bfs")
    result = finder.locate(noise(), "the red boat")
    assert result.strategy == "sequential_bfs" and len(result.path) >= 1
    speaker = Seal.from_pretrained(folders / "vqa", None, search="none", device="cpu")
    answer = speaker.ask(noise(), "Is it red?", ["yes", "no"])
    assert len(answer.losses) == 2 and answer.searches == []


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
    assert seal.locator.model._crops.num_bytes == 0 and not seal.answer_model._pictures


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
    assert seal.locator.model._crops.num_bytes == 0 and not seal.answer_model._pictures


@needs_samples
def test_native_photographs_of_the_benchmark_go_through(seal):
    config = VStarBenchConfig(folder=str(SAMPLES / "vstar_bench"), require_images=False)
    shown = [q for q in config.build().questions() if q.image is not None]
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
