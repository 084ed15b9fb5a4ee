"""The search model answers in batches what it answers alone, from one encoding of each crop."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from tiny_models import blocks, noise, tokenizer, vsm_model

from seal.batch import Sample, Target, Visual
from seal.data.collate import collate
from seal.geometry import Box
from seal.images import clip_pixels, owl_pixels, pad_to_square
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.protocol import Patch, Query
from seal.text.conversation import VSM as TEMPLATE
from seal.text.conversation import conversation_row
from seal.text.prompts import LOCATE_ANSWER, cue_prefix, locate_question
from seal.text.tokens import VisualSizes

PICTURES = [blocks(120, 90, seed) for seed in range(3)]


@pytest.fixture(scope="module")
def model():
    return NetworkSearchModel(vsm_model(), tokenizer(), max_batch=3)


def queries(kind, texts=("boat", "the red mug", "boat", "water")):
    image = noise()
    boxes = [Box(0, 0, 120, 90), Box(0, 0, 60, 45), Box(60, 45, 120, 90), Box(10, 5, 50, 85)]
    return [Query(kind, Patch(image, box), text) for box, text in zip(boxes, texts, strict=True)]


def blocks_query(seed, i):
    return Query("detect", Patch(PICTURES[seed], Box(10 * i, 5, 60 + 10 * i, 85)), "boat")


def test_detect_equals_the_training_forward_with_the_whole_answer(model):
    """One prefill of the prompt and `Sure,` gives what a pass over `Sure, [LOC].` gives."""
    (query,) = queries("detect")[:1]
    (found,) = model.detect([query])
    config = model.model.config
    row = conversation_row(
        tokenizer(),
        TEMPLATE,
        [(f"<image>\n{locate_question(query.text)}", LOCATE_ANSWER)],
        image=Visual(0, True),
        sizes=VisualSizes(long=config.vision.num_tokens),
    )
    crop = query.patch.crop()
    clip = clip_pixels(pad_to_square(crop, "top_left")[0], config.vision.image_size)
    sample = Sample(
        "one",
        (row,),
        (torch.from_numpy(clip),),
        torch.from_numpy(owl_pixels(crop, config.detector.image_size)),
        (Target(None, None),),
    )
    with torch.inference_mode():
        out = model.model(collate([sample], pad_id=0))
    np.testing.assert_allclose(found.scores, out.pred_logits[0].sigmoid(), atol=1e-5)
    np.testing.assert_allclose(
        found.boxes[:, 0] + found.boxes[:, 2], out.pred_boxes[0, :, 0] * 2 * 120, atol=1e-3
    )


def test_batched_detections_equal_one_by_one(model):
    together = zip(
        model.detect(queries("detect")), model.target_heat(queries("target_heat")), strict=True
    )
    for query, (batched, heat) in zip(queries("detect"), together, strict=True):
        other = NetworkSearchModel(vsm_model(), tokenizer())
        (alone,), (cold,) = other.detect([query]), other.target_heat([query])
        np.testing.assert_allclose(batched.scores, alone.scores, atol=1e-5)
        np.testing.assert_allclose(batched.boxes, alone.boxes, atol=1e-3)
        assert heat.peak() == pytest.approx(cold.peak(), abs=1e-4)


def test_batched_cue_answers_equal_one_by_one(model):
    together = model.contextual_cue(queries("contextual_cue"))
    alone = [model.contextual_cue([query])[0] for query in queries("contextual_cue")]
    assert together == alone
    for query, cue in zip(queries("contextual_cue"), together, strict=True):
        assert cue.answer.startswith(cue_prefix(query.text.removeprefix("the ")))


def test_a_crop_is_encoded_once_for_all_that_is_asked_about_it():
    model = NetworkSearchModel(vsm_model(), tokenizer())
    asked = queries("detect")
    model.detect(asked)
    model.contextual_cue([Query("contextual_cue", q.patch, q.text) for q in asked])
    model.cue_heatmap([Query("cue_heatmap", q.patch, "the water") for q in asked])
    assert model.cost.crops_encoded == len(asked)


def test_a_whole_search_runs_and_is_the_same_in_lockstep(model):
    search = GuidedSearch(SearchConfig(min_size=40, min_size_scale=8))
    images = [noise(seed=i) for i in range(3)]
    alone = [run_searches([search.explore(image, "mug")], model)[0] for image in images]
    together = run_searches([search.explore(image, "mug") for image in images], model)
    boxes = [[node.box for node in result.path] for result in together]
    assert boxes == [[node.box for node in result.path] for result in alone]


def test_random_weights_do_not_pass_the_constant_answer_check(model):
    assert model.check_constant_answer(queries("detect")[0]) is not None


def test_all_questions_about_a_crop_share_what_precedes_them():
    model = NetworkSearchModel(vsm_model(), tokenizer())
    patch = queries("detect")[0].patch
    targets = ["boat", "mug", "red boat"]
    model.detect([Query("detect", patch, target) for target in targets])
    model.contextual_cue([Query("contextual_cue", patch, "boat")])
    model.cue_heatmap([Query("cue_heatmap", patch, "the water")])
    assert model.cost.prompts_read == 1 and model.cost.questions_read == 5
    assert model.cost.queries == {"detect": 3, "contextual_cue": 1, "cue_heatmap": 1}


@pytest.mark.parametrize("cache_mb", [0, 4096])
def test_what_is_forgotten_is_made_again_and_the_same(cache_mb):
    model = NetworkSearchModel(vsm_model(), tokenizer(), cache_mb=cache_mb)
    asked = queries("detect")
    first, second = model.detect(asked), model.detect(asked)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.scores, b.scores)
    assert model.cost.crops_encoded == (8 if cache_mb == 0 else 4)


def test_an_image_is_forgotten_on_demand():
    model = NetworkSearchModel(vsm_model(), tokenizer())
    asked = queries("detect")
    model.detect(asked)
    model.forget(asked[0].patch.image)
    assert not model._crops._crops and not model._crops.pool.num_used
    model.detect(asked)
    assert model.cost.crops_encoded == 2 * len(asked)


def test_the_constant_answer_check_accepts_the_constant_answer():
    network = vsm_model()
    script = iter([*tokenizer().encode(LOCATE_ANSWER, bos=False), tokenizer().eos_id])

    def say(module, inputs, output):
        scripted = torch.zeros_like(output)
        scripted[..., next(script)] = 1
        return scripted

    network.llm.lm_head.register_forward_hook(say)
    model = NetworkSearchModel(network, tokenizer())
    assert model.check_constant_answer(queries("detect")[0]) is None


def test_numbers_that_are_not_finite_stop_the_search_and_name_the_precision():
    network = vsm_model()
    torch.nn.init.constant_(network.detector.class_head.dense0.weight, float("nan"))
    model = NetworkSearchModel(network, tokenizer())
    with pytest.raises(FloatingPointError, match=r"not finite in torch\.float32"):
        model.detect(queries("detect"))


def test_half_precision_runs_and_gives_float32_answers():
    model = NetworkSearchModel(vsm_model().to(torch.bfloat16), tokenizer())
    exact = NetworkSearchModel(vsm_model(), tokenizer())
    for rough, fine in zip(
        model.detect(queries("detect")), exact.detect(queries("detect")), strict=True
    ):
        assert rough.scores.dtype == rough.boxes.dtype == np.float32
        np.testing.assert_allclose(rough.scores, fine.scores, atol=0.05)
    (cue,) = model.contextual_cue(queries("contextual_cue")[:1])
    assert cue.answer.startswith("The boat is most likely to appear")


def test_a_detection_does_not_keep_the_whole_batch_in_memory(model):
    found = model.detect(queries("detect"))
    assert all(d.boxes.base is None and d.scores.base is None for d in found)
    heats = model.target_heat(queries("target_heat"))
    assert all(heat._logits.base is None for heat in heats)


def test_a_target_typed_with_its_article_is_the_same_target(model):
    # One call: batch mates of the same region and sentence score alike, to the bit.
    patch = Patch(noise(), Box(0, 0, 120, 90))
    plain, typed = model.detect([Query("detect", patch, text) for text in ("mug", "the mug")])
    np.testing.assert_array_equal(plain.scores, typed.scores)
    np.testing.assert_array_equal(plain.boxes, typed.boxes)


@pytest.mark.parametrize("off", ["share_prefix", "one_pass", "late_heat", "side_by_side"])
def test_each_lever_changes_what_is_done_and_not_what_is_answered(off):
    search = GuidedSearch(SearchConfig(min_size=40, min_size_scale=8, confidence_high=1.0))
    image, other = noise(), noise(seed=5)
    runs = []
    for levers in ({"side_by_side": True}, {"side_by_side": True, off: False}):
        model = NetworkSearchModel(vsm_model(), tokenizer(), max_batch=3, **levers)
        asked = [(image, "mug"), (other, "mug")]
        results = run_searches([search.explore(*each) for each in asked], model)
        runs.append((results, model.cost))
    for one, same in zip(runs[0][0], runs[1][0], strict=True):
        assert [node.box for node in one.path] == [node.box for node in same.path]
        np.testing.assert_allclose(one.best_score, same.best_score, atol=1e-5)
        for a, b in zip(one.path, same.path, strict=True):
            np.testing.assert_allclose(a.child_shares or [], b.child_shares or [], atol=1e-5)
    cost, without = runs[0][1], runs[1][1]
    if off == "share_prefix":
        assert without.prompts_read > cost.prompts_read
    elif off == "one_pass":
        assert without.llm_passes > cost.llm_passes
        assert without.tokens_read == cost.tokens_read
    elif off == "late_heat":
        assert "target_heat" in cost.queries and "target_heat" not in without.queries


def test_one_crop_that_does_not_fit_is_tried_again_without_the_others():
    network, room = vsm_model(), []
    encode = network.encode_detector

    def little_memory(pixels):
        if model._crops.pool.num_used > 1 and room:
            raise torch.OutOfMemoryError("too many crops")
        return encode(pixels)

    network.encode_detector = little_memory
    model = NetworkSearchModel(network, tokenizer(), max_batch=4, side_by_side=False)
    asked = queries("detect")
    model.detect(asked[:3])
    room.append(1)
    (found,) = model.detect(asked[3:])
    assert model._crops.pool.num_used == 1
    (expected,) = NetworkSearchModel(vsm_model(), tokenizer()).detect(asked[3:])
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


def test_a_batch_that_does_not_fit_is_halved_and_the_search_goes_on():
    network, expected = vsm_model(), NetworkSearchModel(vsm_model(), tokenizer())
    asked, tried, room = queries("detect"), [], [1]
    encode = network.encode_detector

    def little_memory(pixels):
        tried.append(len(pixels))
        if len(pixels) > room[0]:
            raise torch.OutOfMemoryError("too many pictures")
        return encode(pixels)

    network.encode_detector = little_memory
    model = NetworkSearchModel(network, tokenizer(), max_batch=4, side_by_side=False)
    found = model.detect(asked)
    assert tried == [4, 2, 1, 1, 1, 1] and model.max_batch == 1
    for one, whole in zip(found, expected.detect(asked), strict=True):
        np.testing.assert_allclose(one.scores, whole.scores, atol=1e-5)
    room[0] = 0
    with pytest.raises(torch.OutOfMemoryError):  # one that does not fit alone
        model.detect([Query("detect", Patch(noise(seed=9), Box(0, 0, 50, 50)), "boat")])


def test_one_query_that_does_not_fit_alone_makes_no_batch_smaller():
    network = vsm_model()
    encode = network.encode_detector
    model = NetworkSearchModel(network, tokenizer(), max_batch=4, side_by_side=False)
    expected = model.detect(queries("detect"))

    def no_memory(crops):
        raise torch.OutOfMemoryError("a large picture")

    model._crops._encode_detector = no_memory
    model.forget(queries("detect")[0].patch.image)
    other = [Query("detect", Patch(noise(seed=9), q.patch.box), q.text) for q in queries("detect")]
    with pytest.raises(torch.OutOfMemoryError):
        model.detect(other)
    assert model.max_batch == 4
    model._crops._encode_detector = encode
    for one, same in zip(model.detect(queries("detect")), expected, strict=True):
        np.testing.assert_allclose(one.scores, same.scores, atol=1e-5)


def test_the_memory_of_crops_stays_within_its_bound():
    model = NetworkSearchModel(vsm_model(), tokenizer(), max_batch=16, cache_mb=1)
    slot = model._crops.pool.shape.num_bytes
    image = noise()
    for i in range(11):
        patches = [Patch(image, Box(i, j, i + 40, j + 40)) for j in range(16)]
        model.detect([Query("detect", patch, "boat") for patch in patches])
        assert model._crops.num_bytes <= 1 << 20
    assert model._crops.pool.num_bytes == 16 * slot
    assert 16 < len(model._crops._crops) < 11 * 16
    assert model.concurrency == min(64, (7 * (1 << 20) // 8) // slot)


def test_of_a_batch_that_failed_nothing_is_kept_beyond_the_bound():
    model = NetworkSearchModel(vsm_model(), tokenizer(), cache_mb=0)

    def burst(*inputs):
        raise RuntimeError("a pipe burst")

    model._decode_boxes = burst
    with pytest.raises(RuntimeError, match="a pipe burst"):
        model.detect(queries("detect"))
    assert not model._crops._crops and not model._crops.pool.num_used


def test_threads_that_ask_at_the_same_time_get_their_own_answers():
    model = NetworkSearchModel(vsm_model(), tokenizer(), max_batch=4, cache_mb=0)
    asked = {seed: [blocks_query(seed, i) for i in range(4)] for seed in range(3)}
    alone = {seed: model.detect(queries) for seed, queries in asked.items()}
    wrong = []

    def ask(seed):
        for _ in range(8):
            model.forget(asked[(seed + 1) % 3][0].patch.image)
            for one, same in zip(model.detect(asked[seed]), alone[seed], strict=True):
                if not np.allclose(one.scores, same.scores, atol=1e-5):
                    wrong.append(seed)

    def report(seed):
        try:
            ask(seed)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=report, args=(seed,)) for seed in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and not model._crops.pool.num_used


def test_a_cue_that_is_decoded_freely_begins_as_the_model_says():
    forced = NetworkSearchModel(vsm_model(), tokenizer())
    free = NetworkSearchModel(vsm_model(), tokenizer(), cue_prefix="free")
    (query,) = queries("contextual_cue")[:1]
    begun = cue_prefix("boat")
    assert forced.contextual_cue([query])[0].answer.startswith(begun)
    assert not free.contextual_cue([query])[0].answer.startswith(begun)  # of random weights
    assert free.settings()["cue_prefix"] == "free"
    with pytest.raises(ValueError, match="cue_prefix='none' is none of forced, free"):
        NetworkSearchModel(vsm_model(), tokenizer(), cue_prefix="none")


def test_passes_of_a_cue_are_counted_as_they_were_made():
    network, passes = vsm_model(), []
    network.llm.model.register_forward_hook(lambda *_: passes.append(1))
    model = NetworkSearchModel(network, tokenizer())
    model.max_cue_tokens = 7
    model.contextual_cue(queries("contextual_cue"))
    model.detect(queries("detect"))
    assert model.cost.llm_passes == len(passes)


def test_a_batch_is_no_larger_than_there_are_slots_whatever_is_set_later():
    model = NetworkSearchModel(vsm_model(), tokenizer(), max_batch=2, cache_mb=0)
    expected = model.detect(queries("detect"))
    model.max_batch = 4
    for one, same in zip(model.detect(queries("detect")), expected, strict=True):
        np.testing.assert_allclose(one.scores, same.scores, atol=1e-5)


@pytest.mark.parametrize("wrong", [{"max_batch": 0}, {"cache_mb": -1}])
def test_sizes_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match=r"max_batch=\d+ and cache_mb=-?\d+; needed are at least"):
        NetworkSearchModel(vsm_model(), tokenizer(), **wrong)
