"""The VQA LLM: the reference's embeddings, logits, loss and gradients, then what it must hold."""

from __future__ import annotations

import copy

import pytest
import torch
from golden_files import counted, golden_cases, golden_json, golden_path, golden_tensors
from golden_models import IMAGE, OBJECT, expanded_row, golden_vqa, pixels
from plain_batches import mean_losses

from seal.batch import IGNORE_INDEX, Batch, Sample, Visual
from seal.data.collate import collate
from seal.geometry import Box, normalize_box
from seal.images import (
    BACKGROUND,
    clip_pixels,
    context_box,
    context_crop,
    open_image,
    pad_to_square,
    resized_bytes,
)
from seal.losses.vqa import VQALoss
from seal.models.files.checkpoint_table import VQA_NAMES, rename
from seal.text.conversation import IMAGE_SLOT, OBJECT_SLOT, encode_slots
from seal.text.tokenize import load_tokenizer

CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def golden_sizes() -> tuple[int, int]:
    config = golden_vqa().config
    return config.vision.num_tokens, config.resampler.num_latents


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
    (kept,) = (key for key in t if key.startswith(f"{name}.inputs_embeds_s"))
    step = int(kept.rpartition("_s")[2])
    torch.testing.assert_close(embeddings[:, ::step], t[kept], **CLOSE)
    logits = model.llm.lm_head(model.hidden_states(batch))
    torch.testing.assert_close(logits[:, t[f"{name}.logits_pos"]], t[f"{name}.logits"], **CLOSE)
    assert logits[0, -1].argmax() == case["argmax_last"]


@pytest.mark.goldens("vqa_cases")
@pytest.mark.parametrize("name", golden_cases("vqa_cases", "cases"))
def test_ids_of_the_cases_are_made_from_their_prompts(name):
    tokenizer = load_tokenizer(golden_path("tokenizer"))
    text = golden_json("vqa_cases")["cases"][name]["prompt"]
    slots = {IMAGE_SLOT: IMAGE, OBJECT_SLOT: OBJECT}
    ids = [slots.get(i, i) for i in encode_slots(tokenizer, text)]
    stored = golden_tensors("vqa_cases")[f"{name}.input_ids"][0]
    assert [tokenizer.bos_id, *ids] == stored.tolist()


@pytest.mark.goldens("vqa_cases")
def test_pictures_of_the_pool_are_made_from_their_files():
    t, pool = golden_tensors("vqa_cases"), golden_json("vqa_cases")["pool"]
    side = t["pool.images_u8"].shape[-1]
    assert tuple(golden_json("vqa_cases")["pad_background"]) == BACKGROUND
    for stored, u8 in counted(zip(pool["images"], t["pool.images_u8"], strict=True)):
        image = open_image(golden_path(stored["png"]))
        square, offset = pad_to_square(image)
        assert list(image.size) == stored["size"]
        assert list(offset) == [stored["left"], stored["top"]]
        assert (resized_bytes(square, side) == u8.numpy()).all()
    for stored, u8 in counted(zip(pool["objects"], t["pool.objects_u8"], strict=True)):
        image = open_image(golden_path(stored["png"]))
        box = Box.from_xywh(*stored["bbox_xywh"])
        assert list(context_box(box, *image.size)) == stored["resized_ltrb"]
        assert (resized_bytes(context_crop(image, box), side) == u8.numpy()).all()
        square, offset = pad_to_square(image)
        place = normalize_box(box.shift(*offset), *square.size)
        assert place == pytest.approx(stored["normalized_in_square"], abs=1e-12)


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


@pytest.mark.goldens("d_batch")
def test_the_training_batch_equals_the_reference_down_to_the_gradients():
    t, stored = golden_tensors("vqa_cases"), golden_json("vqa_cases")["d_batch"]
    t = {k.removeprefix("d_batch."): v for k, v in t.items() if k.startswith("d_batch.")}
    model = copy.deepcopy(golden_vqa())
    model.set_trainable("instruct")
    samples = training_samples()
    batch = collate(samples, pad_id=0, positions="all")
    for positions, mask in zip(batch.position_ids, batch.attention_mask, strict=True):
        assert positions[mask].tolist() == torch.arange(len(mask))[mask].tolist()
    assert torch.equal(batch.attention_mask, t["merged_attention_mask"])
    assert torch.equal(batch.labels, t["merged_labels"])
    assert torch.equal(t["images_long"], torch.tensor(stored["images_long"]))
    assert torch.equal(t["objects_long"], torch.tensor(stored["objects_long"]))
    with torch.no_grad():
        embeddings = model.embed(batch)
        assert list(embeddings.shape) == stored["merged_shape"]
        lengths = [len(sample.rows[0].input_ids) for sample in samples]
        assert lengths == stored["predicted_merged_lens"] and embeddings.shape[1] == max(lengths)
        total = embeddings.double().sum().item()
        assert total == pytest.approx(stored["embeds_sum_f64"], rel=1e-5)
        logits = model.llm.lm_head(model.hidden_states(batch))
        for row, length in enumerate(lengths):  # behind a row's end there is only padding
            for name, places, found in (
                ("inputs_embeds", t["embeds_pos"], embeddings),
                ("logits", t["logits_pos"], logits),
            ):
                inside = places < length
                expected = t[name][row][inside]
                torch.testing.assert_close(found[row, places[inside]], expected, **CLOSE)
    loss = mean_losses(VQALoss(), batch, model(batch))["ce"]
    torch.testing.assert_close(loss, t["loss"], atol=1e-5, rtol=1e-5)
    assert loss.item() == pytest.approx(stored["loss"], rel=1e-5)
    loss.backward()
    parameters = dict(model.named_parameters())
    ungraded = rename(stored["no_grad"], VQA_NAMES) if stored["no_grad"] else {}
    assert all(parameters[ours].grad is None for ours in ungraded.values())
    for theirs, ours in rename(stored["grad_norms"], VQA_NAMES).items():
        norm = parameters[ours].grad.norm().item()
        assert norm == pytest.approx(stored["grad_norms"][theirs], rel=1e-4, abs=1e-6), ours
    assert not [name for name, p in parameters.items() if p.requires_grad and p.grad is None]


@pytest.mark.goldens("d_batch")
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
    size = golden_vqa().config.vision.image_size
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


@pytest.mark.goldens("vqa_options")
@pytest.mark.parametrize("case", golden_cases("vqa_options", "cases"), ids=lambda c: c["id"])
@torch.no_grad()
def test_scores_of_options_equal_the_reference(case):
    t, model = golden_tensors("vqa_options"), golden_vqa()
    for number, answer in enumerate(counted(case["option_token_ids"])):
        assert len(answer) == case["n_tokens"][number]
        batch = option_batch(case, answer)
        output = model(batch)
        torch.testing.assert_close(output.logits, t[f"{case['id']}.option{number}.logits"], **CLOSE)
        loss = mean_losses(VQALoss(), batch, output)["ce"].item()
        assert loss == pytest.approx(case["losses"][number], abs=1e-5)


@pytest.mark.goldens("greedy")
@pytest.mark.parametrize("case", golden_cases("vqa_options", "cases"), ids=lambda c: c["id"])
def test_greedy_answers_equal_the_reference(case):
    free, model = case["free_form"], golden_vqa()
    (ids,) = model.generate(option_batch(case, [], "left"), free["max_new_tokens"])
    eos = model.llm.config.eos_token_id  # ours leaves it out
    assert ids == [token for token in free["generated_ids"] if token != eos]
