"""Any family of image-text models: shared prompts, batches and caches change nothing."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from tiny_families import FAMILIES, folder, missing
from tiny_more_families import MORE
from transformers.cache_utils import DynamicSlidingWindowLayer

from seal.geometry import Box
from seal.inference.answers.hf import HFAnswerModel
from seal.inference.answers.layouts import user_turn
from seal.inference.hf.control_tokens import as_plain_text
from seal.inference.hf.encode import user
from seal.inference.hf.run import read
from seal.working_memory import MemoryTarget, VisualWorkingMemory


def noise(width: int = 90, height: int = 60, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


BOX, TALL = Box(10, 20, 40, 50), Box(5, 0, 20, 60)
MEMORIES = {
    "text only": VisualWorkingMemory("Is the boat red?"),
    "no target": VisualWorkingMemory("Is the boat red?", noise()),
    "not found": VisualWorkingMemory("What?", noise(50, 80), (MemoryTarget("boat"),)),
    "two names": VisualWorkingMemory(
        "Left or right?", noise(), (MemoryTarget("boat", (BOX,)), MemoryTarget("mug", (TALL, BOX)))
    ),
    "other scripts": VisualWorkingMemory("图里有什么 Что это? صورة", noise(60, 60, 1)),
}
OPTIONS = ["red", "The boat is blue and on the water.", "一只船"]


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in MORE]


@pytest.fixture(scope="module", params=[*FAMILIES, *SLOW])
def model(request):
    if reason := missing(request.param):
        pytest.skip(reason)
    return HFAnswerModel.from_pretrained(folder(request.param), device="cpu")


def llava(**options):
    return HFAnswerModel.from_pretrained(folder("llava"), device="cpu", **options)


def inputs_of_the_library(model, memory):
    """The prompt by the processor's own way from a conversation to inputs."""
    hf = model.hf
    conversation = user(user_turn(memory, model.layout))
    if hf.model_type != "instructblip":
        return dict(
            hf.processor.apply_chat_template(
                conversation, add_generation_prompt=True, tokenize=True, return_dict=True,
                return_tensors="pt",
            )
        )  # fmt: skip
    items = conversation[0]["content"]
    pictures = [item["image"] for item in items if item["type"] == "image"]
    asked = "\n".join(item["text"] for item in items if item["type"] == "text")
    (picture,) = pictures
    prompt = f"Question: {asked} Short answer:"
    return dict(hf.processor(images=picture, text=prompt, return_tensors="pt"))


def with_more(inputs, ids):
    """The prompt with tokens behind it, for a model that finds positions itself."""
    length, more = inputs["input_ids"].shape[1], torch.tensor([ids])
    longer = dict(inputs)
    for key, value in inputs.items():
        if value.shape == (1, length) and "qformer" not in key:
            fill = {"input_ids": more, "attention_mask": torch.ones_like(more)}
            longer[key] = torch.cat([value, fill.get(key, torch.zeros_like(more))], dim=1)
    return longer


def forget_positions(model):
    """What passes without explicit positions leave on the module."""
    if model.hf.family.axes:
        model.hf.model.model.rope_deltas = None


def known_to_the_library(model):
    """InstructBLIP's processor takes one picture, always."""
    names = ["no target", "not found", "other scripts"]
    return names if model.hf.model_type == "instructblip" else list(MEMORIES)


@torch.inference_mode()
def test_option_scores_equal_a_pass_of_the_library_over_prompt_and_option(model):
    for name in known_to_the_library(model):
        (losses,) = model.loglikelihood([(MEMORIES[name], OPTIONS)])
        prompt = inputs_of_the_library(model, MEMORIES[name])
        for option, loss in zip(OPTIONS, losses, strict=True):
            ids = model.hf.tokenizer(model._answer_ids._lead + option, add_special_tokens=False)
            ids = ids["input_ids"]
            forget_positions(model)
            logits = model.hf.model(**with_more(prompt, ids)).logits[0]
            expected = F.cross_entropy(logits[-len(ids) - 1 : -1], torch.tensor(ids)).item()
            assert loss == pytest.approx(expected, abs=1e-5)


def test_batched_scores_equal_one_by_one_with_any_number_of_pictures(model):
    requests = [(memory, OPTIONS[: 1 + i % 3]) for i, memory in enumerate(MEMORIES.values())]
    together = model.loglikelihood(requests)
    for request, losses in zip(requests, together, strict=True):
        assert losses == pytest.approx(model.loglikelihood([request])[0], abs=1e-5)


@torch.inference_mode()
def test_answers_in_a_batch_are_those_alone_and_the_librarys_greedy_ones(model):
    together = model.generate(list(MEMORIES.values()), max_new_tokens=8)
    assert together == [model.generate([m], max_new_tokens=8)[0] for m in MEMORIES.values()]
    for name, said in zip(MEMORIES, together, strict=True):
        if name not in known_to_the_library(model):
            continue
        prompt = inputs_of_the_library(model, MEMORIES[name])
        ids = model.hf.model.generate(**prompt, max_new_tokens=8, do_sample=False)[0]
        new = ids[prompt["input_ids"].shape[1] :] if len(ids) > 8 else ids
        assert said.text == model.hf.tokenizer.decode(new, skip_special_tokens=True).strip()
        assert said.num_tokens == len(new)


@torch.inference_mode()
def test_the_next_word_is_that_of_the_last_logits_and_batched_equals_alone(model):
    words = ["red", "A"]
    together = model.next_word([(memory, words) for memory in MEMORIES.values()])
    for (name, memory), losses in zip(MEMORIES.items(), together, strict=True):
        assert losses == pytest.approx(model.next_word([(memory, words)])[0], abs=1e-5)
        if name in known_to_the_library(model):
            logits = model.hf.model(**inputs_of_the_library(model, memory)).logits[0, -1]
            first = [model._answer_ids(word)[0] for word in words]
            assert losses == pytest.approx((-logits.log_softmax(-1)[first]).tolist(), abs=1e-5)


def test_no_state_is_left_for_the_next_prompt(model):
    """Answers of one prompt are the same whatever was asked in between."""
    forget_positions(model)  # of the library's own passes in other tests
    one, other = MEMORIES["two names"], MEMORIES["no target"]
    before = model.loglikelihood([(one, OPTIONS)])
    model.generate([other], max_new_tokens=3)
    model.loglikelihood([(MEMORIES["text only"], OPTIONS)])
    assert model.loglikelihood([(one, OPTIONS)]) == before
    assert not model.hf.family.axes or model.hf.model.model.rope_deltas is None


def test_control_tokens_in_a_question_are_text(model):
    """They neither place pictures nor end the turn, and the rest of the prompt stays."""
    controls = model.hf.controls
    assert controls
    said = "Is " + " ".join(controls) + " red?"
    clean, hostile = (VisualWorkingMemory(q, noise()) for q in ("Is it red?", said))
    ids = model.hf.tokenizer.convert_tokens_to_ids(list(controls))
    in_hostile, in_clean = (model.row(m).tokens["input_ids"].tolist() for m in (hostile, clean))
    assert [in_hostile.count(i) for i in ids] == [in_clean.count(i) for i in ids]
    decoded = model.hf.tokenizer.decode(model.row(hostile).tokens["input_ids"])
    assert as_plain_text(said, controls) in decoded
    (losses,) = model.loglikelihood([(hostile, ["red", f"a {controls[0]}"])])
    assert all(map(np.isfinite, losses))


def test_every_script_reaches_the_model_as_it_was_written(model):
    decoded = model.hf.tokenizer.decode(model.row(MEMORIES["other scripts"]).tokens["input_ids"])
    assert MEMORIES["other scripts"].question in decoded
    lead = model._answer_ids._lead
    assert model.hf.tokenizer.decode(model._answer_ids("一只船")) == f"{lead}一只船"


def test_neither_order_nor_repetition_nor_the_size_of_a_pass_can_decide_between_options(model):
    small = HFAnswerModel(model.hf, max_batch=2)
    (forward,) = small.loglikelihood([(MEMORIES["two names"], OPTIONS)])
    (backward,) = small.loglikelihood([(MEMORIES["two names"], OPTIONS[::-1])])
    assert backward == forward[::-1]
    (twice,) = small.loglikelihood([(MEMORIES["two names"], [*OPTIONS, OPTIONS[0]])])
    assert twice == [*forward, forward[0]]
    (large,) = model.loglikelihood([(MEMORIES["two names"], OPTIONS)])
    assert large == pytest.approx(forward, abs=1e-5)


def test_what_is_read_shown_and_written_is_counted(model):
    memory = MEMORIES["two names"]
    before = copy(model.cost)
    model.loglikelihood([(memory, OPTIONS)])
    spent = model.cost - before
    passes = 1 if shares(model) else 1 + len(OPTIONS)  # the prompt alone, and with each option
    assert (spent.calls, spent.options_scored, spent.images) == (1, 3, 4 * passes)
    options = sum(len(model._answer_ids(option)) for option in OPTIONS)
    assert spent.tokens_read == passes * len(model.row(memory)) + options
    inputs = inputs_of_the_library(model, MEMORIES["no target"])
    before = copy(model.cost)
    (said,) = model.generate([MEMORIES["no target"]], max_new_tokens=3)
    spent = model.cost - before
    assert (spent.calls, spent.images, spent.tokens_written) == (1, 1, said.num_tokens)
    assert spent.tokens_read == inputs["input_ids"].shape[1]
    assert spent.visual_tokens == int((inputs["input_ids"] == model.hf.image_token_id).sum()) > 0
    assert spent.pixels == real_pixels(inputs)


def real_pixels(inputs):
    """Of one picture: three values a pixel, those of patches twice in time, padding left out."""
    values = inputs["pixel_values"]
    if "image_position_ids" in inputs:  # patches that are not normalized: black is zero as well
        return values.any(-1).sum().item() * values.shape[-1] // 3
    return (values != 0).sum().item() // (6 if "image_grid_thw" in inputs else 3)


@torch.inference_mode()
def shares(model):
    prefix, _ = read(model.hf, model.batch([MEMORIES["text only"]]))
    return prefix.is_shared


def test_all_but_linear_attention_read_a_prompt_once(model):
    assert shares(model) is (model.hf.model_type != "qwen3_5")


@torch.inference_mode()
def test_a_sliding_window_shorter_than_the_prompt_is_in_use():
    """Else equality with whole passes would say nothing of it."""
    if reason := missing("gemma3"):
        pytest.skip(reason)
    model = HFAnswerModel.from_pretrained(folder("gemma3"), device="cpu")
    prefix, _ = read(model.hf, model.batch([MEMORIES["two names"]]))
    sliding = prefix.cache.layers[0]
    assert type(sliding) is DynamicSlidingWindowLayer
    assert sliding.keys.shape[-2] == 15 < len(model.row(MEMORIES["two names"]))


@torch.inference_mode()
def test_letters_are_told_apart_where_a_space_of_its_own_stands_before_them():
    """This tokenizer has no ` A`, so both answers begin with the space that the template writes."""
    model = llava()
    space, letters = model._answer_ids.lead, [model._answer_ids(word) for word in "AB"]
    assert len(space) == 1 and all(ids[:1] == space and len(ids) == 2 for ids in letters)
    (losses,) = model.next_word([(MEMORIES["no target"], ["A", "B"])])
    prompt = with_more(inputs_of_the_library(model, MEMORIES["no target"]), space)
    logits = model.hf.model(**prompt).logits[0, -1]
    expected = -logits.log_softmax(-1)[[ids[1] for ids in letters]]
    assert losses == pytest.approx(expected.tolist(), abs=1e-5)


def test_words_that_begin_alike_cannot_be_told_apart_by_their_first_token():
    with pytest.raises(ValueError, match="begin with the same token"):
        llava().next_word([(MEMORIES["no target"], ["red", "red boat"])])


def test_what_is_longer_than_the_context_is_refused_with_the_ways_out():
    model = llava()
    many = VisualWorkingMemory("What?", noise(), (MemoryTarget("boat", (BOX,) * 40),))
    says = r"'What\?' with 40 crops is \d+ tokens .* max_position_embeddings=2048 .* fewer crops"
    with pytest.raises(ValueError, match=says):
        model.loglikelihood([(MEMORIES["no target"], OPTIONS), (many, OPTIONS)])
    with pytest.raises(ValueError, match=says):
        model.generate([many])
    assert not model.fits(many) and model.fits(MEMORIES["two names"], OPTIONS)
    room = 2048 - len(model.row(MEMORIES["no target"]))
    assert model.fits(MEMORIES["no target"], max_new_tokens=room)
    assert not model.fits(MEMORIES["no target"], max_new_tokens=room + 1)


def test_an_image_is_prepared_once_until_it_is_forgotten():
    model = llava()
    memory = MEMORIES["no target"]
    assert model.row(memory) is model.row(memory)
    before, other = model.row(memory), model.row(MEMORIES["two names"])
    model.forget(memory.image)
    assert model.row(memory) is not before and model.row(MEMORIES["two names"]) is other


@pytest.mark.parametrize("layout", ["interleaved", "images_first", "bare"])
def test_layouts_show_the_same_pictures_in_other_words(layout):
    model = llava(layout=layout)
    row = model.row(MEMORIES["two names"])
    assert row.pictures[0].size == (90, 60) and len(row.pictures) == 4
    assert model.settings()["layout"] == layout
    assert model.prompt(MEMORIES["two names"]).count("<image>") == 4


def test_an_unknown_layout_and_an_empty_option_are_refused():
    with pytest.raises(ValueError, match="layout='sideways' is none of interleaved"):
        llava(layout="sideways")
    with pytest.raises(ValueError, match="an answer of no tokens cannot be scored: ''"):
        llava().loglikelihood([(MEMORIES["no target"], ["red", ""])])


def test_losses_that_are_not_finite_stop_the_answer_and_name_the_precision():
    model = llava()
    torch.nn.init.constant_(model.hf.model.lm_head.weight, float("nan"))
    for ask in (
        lambda: model.loglikelihood([(MEMORIES["no target"], OPTIONS)]),
        lambda: model.next_word([(MEMORIES["no target"], ["A", "B"])]),
        lambda: model.generate([MEMORIES["no target"]]),
    ):
        with pytest.raises(FloatingPointError, match=r"not finite in torch\.float32"):
            ask()


@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl", "gemma3"])
def test_half_precision_scores_about_the_same(family):
    exact = HFAnswerModel.from_pretrained(folder(family), device="cpu")
    rough = HFAnswerModel.from_pretrained(folder(family), device="cpu", dtype="bfloat16")
    request = [(MEMORIES["two names"], OPTIONS)]
    expected = exact.loglikelihood(request)[0]
    assert rough.loglikelihood(request)[0] == pytest.approx(expected, abs=0.35)
    assert rough.settings()["dtype"] == "bfloat16"


def test_a_control_is_not_shown_what_was_prepared_for_the_memory_it_controls():
    model, memory = llava(), MEMORIES["two names"]
    shown = [model.row(m) for m in (
        memory, replace(memory, crops_black=True), replace(memory, places_told=False),
        replace(memory, crops_black=True, places_told=False),
    )]  # fmt: skip
    losses = [model.loglikelihood([(m, OPTIONS)])[0] for m in (
        memory, replace(memory, crops_black=True), replace(memory, places_told=False),
        replace(memory, crops_black=True, places_told=False),
    )]  # fmt: skip
    assert len({id(row) for row in shown}) == len(set(map(tuple, losses))) == 4
