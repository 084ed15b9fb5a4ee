"""Options and words from a visual working memory: shared caches and batches change nothing."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from tiny_models import noise, tokenizer, vqa_model

from seal.geometry import Box, normalized_box_text
from seal.images import tower_pixels
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.text.conversation import VQA as TEMPLATE
from seal.text.conversation import continuation_ids
from seal.working_memory import MemoryTarget, VisualWorkingMemory

BOX = Box(10, 20, 50, 60)
MEMORIES = {
    "text only": VisualWorkingMemory("Is the boat red?"),
    "no target": VisualWorkingMemory("Is the boat red?", noise()),
    "one": VisualWorkingMemory("What?", noise(), (MemoryTarget("boat", (BOX,)),)),
    "two names": VisualWorkingMemory(
        "Left or right?", noise(), (MemoryTarget("boat", (BOX,)), MemoryTarget("mug", (BOX,)))
    ),
    "three crops": VisualWorkingMemory("What?", noise(), (MemoryTarget("boat", (BOX,) * 3),)),
    "not found": VisualWorkingMemory("What?", noise(), (MemoryTarget("boat"),)),
}
OPTIONS = ["red", "The boat is blue and on the water.", "a mug"]


@pytest.fixture(scope="module", params=["paper_inference", "consistent"])
def model(request):
    return NetworkAnswerModel(vqa_model(), tokenizer(), token_policy=request.param)


def whole_sequence_loss(model, memory, option):
    """Mean cross-entropy of an option from one pass over prompt and option, without a cache."""
    batch = model.batch([memory])
    ids = torch.tensor(continuation_ids(tokenizer(), TEMPLATE, option))
    with torch.inference_mode():
        embeddings = model.model.embed(batch)
        tail = model.model.llm.get_input_embeddings()(ids)[None]
        logits = model.model.llm(inputs_embeds=torch.cat([embeddings, tail], 1)).logits[0]
    return F.cross_entropy(logits[-len(ids) - 1 : -1], ids).item()


@pytest.mark.parametrize("name", MEMORIES)
def test_cached_option_scores_equal_a_pass_over_the_whole_sequence(model, name):
    (losses,) = model.loglikelihood([(MEMORIES[name], OPTIONS)])
    expected = [whole_sequence_loss(model, MEMORIES[name], option) for option in OPTIONS]
    assert losses == pytest.approx(expected, abs=1e-5)


def test_batched_scores_equal_one_by_one(model):
    requests = [(memory, OPTIONS[: 1 + i % 3]) for i, memory in enumerate(MEMORIES.values())]
    together = model.loglikelihood(requests)
    for request, losses in zip(requests, together, strict=True):
        assert losses == pytest.approx(model.loglikelihood([request])[0], abs=1e-5)


def test_batched_words_equal_one_by_one(model):
    memories = list(MEMORIES.values())
    together = model.generate(memories, max_new_tokens=6)
    assert together == [model.generate([memory], max_new_tokens=6)[0] for memory in memories]


def test_the_order_of_options_does_not_change_their_scores(model):
    (forward,) = model.loglikelihood([(MEMORIES["one"], OPTIONS)])
    (backward,) = model.loglikelihood([(MEMORIES["one"], OPTIONS[::-1])])
    assert backward[::-1] == pytest.approx(forward, abs=1e-5)


def test_the_unpadded_first_pass_is_an_option_that_changes_only_pictures_without_targets():
    released = NetworkAnswerModel(vqa_model(), tokenizer(), no_search_image="as_released")
    default = NetworkAnswerModel(vqa_model(), tokenizer())
    for name, changes in [("no target", True), ("one", False)]:
        request = [(MEMORIES[name], OPTIONS)]
        same = released.loglikelihood(request) == default.loglikelihood(request)
        assert same is not changes


def test_neither_order_nor_repetition_nor_the_size_of_a_pass_can_decide_between_options():
    """Bit for bit: equal options tie, and a permutation permutes the losses."""
    small = NetworkAnswerModel(vqa_model(), tokenizer(), max_batch=2)
    (forward,) = small.loglikelihood([(MEMORIES["one"], OPTIONS)])
    (backward,) = small.loglikelihood([(MEMORIES["one"], OPTIONS[::-1])])
    assert backward == forward[::-1]
    (twice,) = small.loglikelihood([(MEMORIES["one"], [*OPTIONS, OPTIONS[0]])])
    assert twice == [*forward, forward[0]]
    large = NetworkAnswerModel(vqa_model(), tokenizer(), max_batch=64)
    assert large.loglikelihood([(MEMORIES["one"], OPTIONS)])[0] == pytest.approx(forward, abs=1e-5)


def test_the_next_word_is_that_of_a_whole_pass_and_batched_equals_alone(model):
    requests = [(memory, ["A", "B"]) for memory in MEMORIES.values()]
    together = model.next_word(requests)
    for (memory, words), losses in zip(requests, together, strict=True):
        assert losses == pytest.approx(model.next_word([(memory, words)])[0], abs=1e-5)
        first = [continuation_ids(tokenizer(), TEMPLATE, w)[0] for w in words]
        with torch.inference_mode():
            embeddings = model.model.embed(model.batch([memory]))
            logits = model.model.llm(inputs_embeds=embeddings).logits[0, -1]
        assert losses == pytest.approx((-logits.log_softmax(-1)[first]).tolist(), abs=1e-5)


def test_words_that_begin_alike_cannot_be_told_apart_by_their_first_token(model):
    with pytest.raises(ValueError, match="begin with the same token"):
        model.next_word([(MEMORIES["no target"], ["red", "red boat"])])


def test_what_is_read_shown_and_written_is_counted(model):
    before = copy(model.cost)
    model.loglikelihood([(MEMORIES["three crops"], OPTIONS)])
    spent = model.cost - before
    assert (spent.calls, spent.options_scored, spent.images) == (1, 3, 4)
    assert spent.pixels == 4 * model.model.config.vision.image_size**2
    options = [continuation_ids(tokenizer(), TEMPLATE, option) for option in OPTIONS]
    prompt = len(model.row(MEMORIES["three crops"]).input_ids)
    assert spent.tokens_read == prompt + sum(map(len, options))
    # Three crops go through the resampler; the image too.
    assert spent.visual_tokens == 4 * model.model.config.resampler.num_latents
    before = copy(model.cost)
    (said,) = model.generate([MEMORIES["text only"]], max_new_tokens=3)
    spent = model.cost - before
    assert (spent.calls, spent.images, spent.tokens_written) == (1, 0, said.num_tokens)
    assert spent.visual_tokens == 0
    model.next_word([(MEMORIES["no target"], ["red"]), (MEMORIES["text only"], ["red"])])
    assert (model.cost - before).visual_tokens == model.model.config.vision.num_tokens


def test_an_image_is_prepared_once_for_all_its_questions():
    model = NetworkAnswerModel(vqa_model(), tokenizer())
    image = noise()
    memories = [VisualWorkingMemory(f"Is it {word}?", image) for word in ("red", "blue", "white")]
    batch = model.batch(memories)
    assert batch.pixel_values.shape[0] == 1 and batch.long_images.tolist() == [0]


def test_crops_without_an_image_are_refused():
    memory = VisualWorkingMemory("What?", None, (MemoryTarget("boat", (BOX,)),))
    with pytest.raises(ValueError, match="crops of \\['boat'\\] need the image"):
        NetworkAnswerModel(vqa_model(), tokenizer()).generate([memory])


def test_what_is_longer_than_the_context_is_refused_with_its_length_and_number_of_crops():
    model = NetworkAnswerModel(vqa_model(), tokenizer())
    limit = model.model.config.llm.max_position_embeddings
    many = VisualWorkingMemory("What?", noise(), (MemoryTarget("boat", (BOX,) * 40),))
    says = (
        rf"'What\?' with 40 crops is \d+ tokens .* max_position_embeddings={limit} .* fewer crops"
    )
    with pytest.raises(ValueError, match=says):
        model.loglikelihood([(MEMORIES["one"], OPTIONS), (many, OPTIONS)])
    with pytest.raises(ValueError, match=says):
        model.generate([many])
    assert not model.fits(many) and model.fits(MEMORIES["three crops"], OPTIONS)
    length = len(model.row(MEMORIES["one"]).input_ids)
    assert model.fits(MEMORIES["one"], max_new_tokens=limit - length)
    assert not model.fits(MEMORIES["one"], max_new_tokens=limit - length + 1)


def test_losses_that_are_not_finite_stop_the_answer_and_name_the_precision():
    network = vqa_model()
    torch.nn.init.constant_(network.llm.lm_head.weight, float("nan"))
    model = NetworkAnswerModel(network, tokenizer())
    with pytest.raises(FloatingPointError, match=r"losses that are not finite in torch\.float32"):
        model.loglikelihood([(MEMORIES["one"], OPTIONS)])


def test_half_precision_scores_about_the_same():
    exact = NetworkAnswerModel(vqa_model(), tokenizer())
    rough = NetworkAnswerModel(vqa_model().to(torch.bfloat16), tokenizer())
    request = [(MEMORIES["two names"], OPTIONS)]
    assert rough.loglikelihood(request)[0] == pytest.approx(
        exact.loglikelihood(request)[0], abs=0.1
    )


def test_controls_show_black_crops_beside_the_same_image_and_say_of_them_where_the_image_lies():
    model = NetworkAnswerModel(vqa_model(), tokenizer())
    shown = replace(MEMORIES["two names"], crops_black=True)
    hidden = replace(shown, places_told=False)
    real, black = (model.batch([m]).pixel_values for m in (MEMORIES["two names"], shown))
    assert real.shape == black.shape and torch.equal(real[0], black[0])
    size = model.model.config.vision.image_size
    colors = model.model.config.vision.normalization
    expected = torch.from_numpy(tower_pixels(Image.new("RGB", (9, 9)), size, colors))
    assert all(torch.equal(crop, expected) for crop in black[1:])
    assert not any(torch.equal(crop, expected) for crop in real[1:])
    assert model.prompt(shown) == model.prompt(MEMORIES["two names"])
    whole = normalized_box_text(Box(0, 0, *shown.image.size), *shown.image.size)
    assert model.prompt(hidden).count(whole) == 2
    losses = [
        model.loglikelihood([(m, OPTIONS)])[0] for m in (MEMORIES["two names"], shown, hidden)
    ]
    assert losses[0] != losses[1] != losses[2]


def test_another_way_to_show_pictures_is_the_same_model_with_one_account():
    released = NetworkAnswerModel(vqa_model(), tokenizer(), token_policy="paper_inference")
    view = released.shown_as("consistent")
    assert view.model is released.model and view.account is released.account
    assert (released.token_policy, view.token_policy) == ("paper_inference", "consistent")
    assert view.settings()["token_policy"] == "consistent"
    request = (MEMORIES["two names"], OPTIONS)
    alone = NetworkAnswerModel(vqa_model(), tokenizer(), token_policy="consistent")
    assert view.loglikelihood([request]) == alone.loglikelihood([request])
    assert released.cost == alone.cost


def test_a_model_without_levels_says_so():
    model = NetworkAnswerModel(vqa_model(), tokenizer())
    for word in ("auto", "36"):
        with pytest.raises(ValueError, match="the answer model reads pictures at one granularity"):
            model.shown_as(word)
    with pytest.raises(ValueError, match="no levels to choose from"):
        NetworkAnswerModel(vqa_model(), tokenizer(), granularity=36)
