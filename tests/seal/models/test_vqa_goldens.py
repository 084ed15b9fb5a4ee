"""The VQA LLM: the reference's embeddings, logits, loss and gradients, then what it must hold."""

from __future__ import annotations

import copy

import pytest
import torch
from golden_files import golden_cases, golden_json, golden_path, golden_tensors
from golden_models import OBJECT, expanded_row, golden_vqa, pixels

from seal.batch import IGNORE_INDEX, Batch, Sample, Visual
from seal.data.collate import collate
from seal.geometry import Box
from seal.images import clip_pixels, context_crop, open_image, pad_to_square
from seal.losses.vqa import VQALoss
from seal.models.checkpoint_table import VQA_NAMES, rename

CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def golden_sizes() -> tuple[int, int]:
    config = golden_vqa().config
    return config.clip.num_tokens, config.resampler.num_latents


def case_batch(name: str, case: dict) -> Batch:
    """A stored prompt; pictures go long (image) and short (objects) where nothing is said."""
    t = golden_tensors("vqa_cases")
    (image_long,) = case["images_long"] or [True]
    objects_long = case["objects_long"] or [False] * len(case["objects"])
    visuals = [Visual(0, image_long), *(Visual(1 + i, o) for i, o in enumerate(objects_long))]
    row = expanded_row(t[f"{name}.input_ids"][0], visuals, golden_sizes())
    shown = [
        t["pool.images_u8"][case["image"]],
        *(t["pool.objects_u8"][i] for i in case["objects"]),
    ]
    return collate([Sample(name, (row,), tuple(pixels(torch.stack(shown))))], pad_id=0)


@pytest.mark.goldens("vqa_cases")
@pytest.mark.parametrize("name", golden_cases("vqa_cases", "cases"))
@torch.no_grad()
def test_merged_embeddings_and_logits_equal_the_reference(name):
    t, model = golden_tensors("vqa_cases"), golden_vqa()
    case = golden_json("vqa_cases")["cases"][name]
    batch = case_batch(name, case)
    embeddings = model.embed(batch)
    assert embeddings.shape[1] == case["merged_len"]
    torch.testing.assert_close(embeddings[:, ::3], t[f"{name}.inputs_embeds_s3"], **CLOSE)
    logits = model.llm.lm_head(model.hidden_states(batch))
    torch.testing.assert_close(logits[:, t[f"{name}.logits_pos"]], t[f"{name}.logits"], **CLOSE)
    assert logits[0, -1].argmax() == case["argmax_last"]


def training_samples() -> list[Sample]:
    """The golden batch in the released layout: every row an image and three object slots."""
    t, stored = golden_tensors("vqa_cases"), golden_json("vqa_cases")["d_batch"]
    t = {key.removeprefix("d_batch."): value for key, value in t.items()}
    pool = pixels(torch.cat([t["pool.images_u8"], t["extra_u8"]]))
    dummy = torch.zeros_like(pool[0])
    samples, used = [], 0
    for number, ids in enumerate(t["input_ids"]):
        count = int((ids == OBJECT).sum())
        slots = slice(used, used + count)
        used += count
        longs = [stored["images_long"][number], *stored["objects_long"][slots]]
        indices = [stored["image_index"][number], *stored["object_index"][slots]]
        row = expanded_row(
            ids,
            [Visual(i, long) for i, (long,) in enumerate(longs)],
            golden_sizes(),
            labels=t["labels"][number],
            mask=t["attention_mask"][number],
        )
        shown = tuple(dummy if i < 0 else pool[i] for i in indices)
        samples.append(Sample(str(number), (row,), shown))
    return samples


@pytest.mark.goldens("vqa_cases")
def test_the_training_batch_equals_the_reference_down_to_the_gradients():
    t, stored = golden_tensors("vqa_cases"), golden_json("vqa_cases")["d_batch"]
    t = {k.removeprefix("d_batch."): v for k, v in t.items() if k.startswith("d_batch.")}
    model = copy.deepcopy(golden_vqa())
    model.set_trainable("instruct")
    batch = collate(training_samples(), pad_id=0, positions="all")
    assert torch.equal(batch.attention_mask, t["merged_attention_mask"])
    assert torch.equal(batch.labels, t["merged_labels"])
    with torch.no_grad():
        embeddings = model.embed(batch)[:, t["embeds_pos"]]
        torch.testing.assert_close(embeddings, t["inputs_embeds"], **CLOSE)
        logits = model.llm.lm_head(model.hidden_states(batch))[:, t["logits_pos"]]
        torch.testing.assert_close(logits, t["logits"], **CLOSE)
    loss = VQALoss()(batch, model(batch))["ce"]
    torch.testing.assert_close(loss, t["loss"], atol=1e-5, rtol=1e-5)
    loss.backward()
    parameters = dict(model.named_parameters())
    for theirs, ours in rename(stored["grad_norms"], VQA_NAMES).items():
        norm = parameters[ours].grad.norm().item()
        assert norm == pytest.approx(stored["grad_norms"][theirs], rel=1e-4, abs=1e-6), ours
    assert not [name for name, p in parameters.items() if p.requires_grad and p.grad is None]


@pytest.mark.goldens("vqa_cases")
@torch.no_grad()
def test_rows_of_unequal_visual_length_are_merged_where_the_reference_hangs():
    """Oddity 1, repaired: each row of the truncated batch is what it is alone."""
    t, stored = golden_tensors("vqa_cases"), golden_json("vqa_cases")["d_batch_truncated"]
    model, samples, used = golden_vqa(), [], 0
    for number, ids in enumerate(t["d_batch_truncated.input_ids"]):
        count = stored["object_tokens_per_row_after_truncation"][number]
        # The reference hands its flags out to the slots that are left, in order.
        longs = [stored["images_long"][number], *stored["objects_long"][used : used + count]]
        used += count
        visuals = [Visual(0, long) for (long,) in longs]
        mask = t["d_batch_truncated.attention_mask"][number]
        row = expanded_row(ids, visuals, golden_sizes(), mask=mask)
        assert len(row.input_ids) == stored["predicted_merged_lens"][number]
        samples.append(Sample(str(number), (row,), (pixels(t["pool.images_u8"][:1])[0],)))
    together = model.hidden_states(collate(samples, pad_id=0))
    for number, sample in enumerate(samples):
        alone = collate([sample], pad_id=0)
        hidden = model.hidden_states(alone)[0][alone.attention_mask[0]]
        row = together[number, : alone.input_ids.shape[1]][alone.attention_mask[0]]
        torch.testing.assert_close(row, hidden, **CLOSE)


def option_batch(case: dict, answer: list[int], side: str = "right") -> Batch:
    """The stored prompt and an answer to be scored, with the pictures made from the image."""
    image = open_image(golden_path(case["png"]))
    crops = [context_crop(image, Box.from_xywh(*box)) for box in case["bboxes_xywh"]]
    size = golden_vqa().config.clip.image_size
    shown = [clip_pixels(picture, size) for picture in (pad_to_square(image)[0], *crops)]
    (image_long,) = case["images_long"] or [True]
    objects_long = case["objects_long"] or [False] * len(crops)
    ids = torch.tensor(case["free_form"]["prompt_ids"] + answer)
    labels = torch.full_like(ids, IGNORE_INDEX)
    labels[len(ids) - len(answer) :] = torch.tensor(answer, dtype=torch.long)
    visuals = [Visual(0, image_long), *(Visual(1 + i, o) for i, o in enumerate(objects_long))]
    row = expanded_row(ids, visuals, golden_sizes(), labels=labels)
    pictures = tuple(torch.from_numpy(picture) for picture in shown)
    return collate([Sample(case["id"], (row,), pictures)], pad_id=0, side=side)


@pytest.mark.goldens("vqa_cases")
@pytest.mark.parametrize("case", golden_cases("vqa_options", "cases"), ids=lambda c: c["id"])
@torch.no_grad()
def test_scores_of_options_and_greedy_answers_equal_the_reference(case):
    t, model = golden_tensors("vqa_options"), golden_vqa()
    for number, answer in enumerate(case["option_token_ids"]):
        batch = option_batch(case, answer)
        output = model(batch)
        torch.testing.assert_close(output.logits, t[f"{case['id']}.option{number}.logits"], **CLOSE)
        loss = VQALoss()(batch, output)["ce"].item()
        assert loss == pytest.approx(case["losses"][number], abs=1e-5)
    free = case["free_form"]
    (ids,) = model.generate(option_batch(case, [], "left"), free["max_new_tokens"])
    eos = model.llm.config.eos_token_id  # ours leaves it out
    assert ids == [token for token in free["generated_ids"] if token != eos]
