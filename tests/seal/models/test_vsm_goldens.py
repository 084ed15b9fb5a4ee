"""The search model: the reference's training batches, validation and inference."""

from __future__ import annotations

import functools

import pytest
import torch
import torch.nn.functional as F
from golden_files import golden_json, golden_tensors
from golden_models import (
    build_golden_vsm,
    expanded_row,
    golden_detector_pixels,
    golden_vsm,
    pixels,
    stored_stride,
)

from seal.batch import Batch, Sample, Target, Visual, VSMOutput
from seal.data.collate import collate
from seal.losses.detection import giou_loss
from seal.losses.matcher import match
from seal.losses.vsm import VSMLoss, VSMLossConfig
from seal.models.checkpoint_table import VSM_NAMES, rename

pytestmark = pytest.mark.goldens("vsm_cases")
CLOSE = {"atol": 1e-4, "rtol": 1e-4}
TIGHT = {"atol": 1e-5, "rtol": 1e-5}
BATCHES = ("trainA", "trainB", "trainC", "trainD")  # with masks, mixed, chat alone, small


def rows_of(t: dict, numbers: range) -> list:
    sizes = (golden_vsm().config.clip.num_tokens, 0)
    loc = golden_json("vsm_state")["loc_token_idx"]
    return [
        expanded_row(
            t["input_ids"][r],
            [Visual(0, True)],
            sizes,
            labels=t["labels"][r],
            mask=t["attention_masks"][r],
            loc=loc,
        )
        for r in numbers
    ]


def stored(name: str) -> tuple[dict, dict]:
    """The tensors and the numbers of one golden case."""
    tensors = golden_tensors("vsm_cases")
    own = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
    return own, golden_json("vsm_cases").get(name, {})


def training_batch(name: str) -> Batch:
    """In the released layout: chat rows carry a masked `[LOC]`, positions count it."""
    t, numbers = stored(name)
    seen = golden_json("vsm_cases")["val"]  # tells which stored image has which size
    clip, owl = pixels(golden_tensors("vsm_cases")["clip_u8"]), golden_detector_pixels()
    has_boxes, samples = t["bboxes_valid_list"].tolist(), []
    for i, size in enumerate(numbers["image_sizes"]):
        image = seen["image"] if size == seen["size"] else 1 - seen["image"]
        first, last = t["offset"][i : i + 2].tolist()
        targets = tuple(
            Target(
                t[f"bboxes{r}"] if has_boxes[r] else None,
                t[f"masks{i}"][r - first].float() if t[f"masks_valid{i}"][r - first] else None,
            )
            for r in range(first, last)
        )
        rows = tuple(rows_of(t, range(first, last)))
        samples.append(Sample(f"{name}-{i}", rows, (clip[image],), owl[image], targets))
    return collate(samples, pad_id=0, positions="all")


@functools.cache
def predicted(name: str) -> tuple[Batch, VSMOutput]:
    batch = training_batch(name)
    with torch.no_grad():
        return batch, golden_vsm()(batch)


def as_released(name: str, batch: Batch, parts: dict, output: VSMOutput) -> float:
    """What the reference gets for GIoU.

    It sums over boxes that are not annotated too. Ours knows one such box, of the whole image;
    where the golden invents others, their share is taken from its list of pairs.
    """
    t, numbers = stored(name)
    num_boxes = sum(len(target.boxes) for target in batch.targets if target.boxes is not None)
    ours, at = parts["giou"].item() / 0.2, 0
    for i, target in enumerate(batch.targets):
        invented = t[f"bboxes{i}"]
        pairs = len(numbers["indices"][i][0])
        theirs = t["criterion.loss_giou"][at : at + pairs].sum().item() * max(num_boxes, 1)
        at += pairs
        if target.boxes is None and num_boxes and invented.tolist() != [[0.5, 0.5, 1.0, 1.0]]:
            whole = VSMLoss()._pairs(
                output.pred_logits[i], output.pred_boxes[i], torch.tensor([[0.5, 0.5, 1.0, 1.0]])
            )
            ours += theirs - giou_loss(*whole[1:]).sum().item()
    return ours


@pytest.mark.parametrize("name", BATCHES)
def test_losses_of_the_training_batches_equal_the_reference(name):
    t, numbers = stored(name)
    batch, output = predicted(name)
    parts = VSMLoss(VSMLossConfig(giou_reduction="as_released"))(batch, output)
    losses = numbers["losses"]  # bce and dice are stored weighted, the others are not
    wanted = {
        "ce": losses["ce_loss"],
        "bce": losses["mask_bce_loss"],
        "dice": losses["mask_dice_loss"],
        "focal": 0.2 * losses["detection_loss_ce"],
        "l1": 0.5 * losses["detection_loss_bbox"],
    }
    for part, value in wanted.items():
        assert parts[part].item() == pytest.approx(value, rel=1e-5, abs=1e-5), part
    giou = as_released(name, batch, parts, output)
    assert giou == pytest.approx(losses["detection_loss_giou"], rel=1e-5, abs=1e-5)
    step = stored_stride(output.pred_logits.shape[1], t["pred_logits"].shape[1])
    torch.testing.assert_close(output.pred_logits[:, ::step, None], t["pred_logits"], **CLOSE)


@pytest.mark.parametrize("name", BATCHES)
def test_matched_candidates_and_queries_equal_the_reference(name):
    t, numbers = stored(name)
    batch, output = predicted(name)
    with torch.no_grad():
        prompts = golden_vsm().mask_query(golden_vsm().query_states(batch))
    for i, target in enumerate(batch.targets):
        if target.boxes is not None:
            pairs = match(output.pred_logits[i], output.pred_boxes[i], target.boxes)
            assert [pair.tolist() for pair in pairs] == numbers["indices"][i]
    count = len(numbers["image_sizes"])
    queries = torch.cat([t[f"det_prompt{i}"] for i in range(count)])[:, 0]
    torch.testing.assert_close(output.pred_queries, queries, **CLOSE)
    wanted = torch.cat([t[f"seg_prompt{i}"] for i in range(count)])[:, 0]
    torch.testing.assert_close(prompts, wanted, **CLOSE)
    for i, size in enumerate(numbers["image_sizes"]):
        first, last = t["offset"][i : i + 2].tolist()
        masks = F.interpolate(output.pred_masks[None, first:last], size=size, mode="bilinear")[0]
        torch.testing.assert_close(masks[:, ::2, ::2], t[f"pred_masks{i}"], **CLOSE)


@pytest.mark.parametrize("name", BATCHES)
def test_gradients_of_the_training_batches_equal_the_reference(name):
    """The reference trains all but CLIP here; heads that no output reads have no gradient."""
    _, numbers = stored(name)
    batch, model = training_batch(name), build_golden_vsm()
    model.requires_grad_(True)
    model.vision_tower.requires_grad_(False)
    parts = VSMLoss(VSMLossConfig(giou_reduction="as_released"))(batch, model(batch))
    sum(parts.values()).backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    renamed = rename([*numbers["grad_norms"], *numbers["grad_none"]], VSM_NAMES)
    # Boxes that are not annotated pull on the box head by other boxes than the golden's.
    other_boxes = any(target.boxes is None for target in batch.targets)
    for theirs, norm in numbers["grad_norms"].items():
        ours = renamed[theirs]
        if "box_head" in ours and other_boxes:
            continue
        found = 0.0 if gradients[ours] is None else gradients[ours].norm().item()
        # The bias of a key shifts all scores alike: what is left of it is rounding.
        assert found == pytest.approx(norm, rel=1e-4, abs=1e-5), ours
    assert not [k for k in numbers["grad_none"] if gradients[renamed[k]] is not None]


@torch.no_grad()
def test_validation_equals_the_reference():
    t, numbers = stored("val")
    image, count = numbers["image"], len(t["input_ids"])
    clip = pixels(golden_tensors("vsm_cases")["clip_u8"])[image]
    sample = Sample(
        "val",
        tuple(rows_of(t, range(count))),
        (clip,),
        golden_detector_pixels()[image],
        (Target(None, None),) * count,
    )
    output = golden_vsm()(collate([sample], pad_id=0))
    step = stored_stride(output.pred_logits.shape[1], t["pred_logits"].shape[1])
    torch.testing.assert_close(output.pred_logits[:, ::step, None], t["pred_logits"], **CLOSE)
    torch.testing.assert_close(output.pred_boxes[:1], t["pred_boxes"], **TIGHT)
    masks = F.interpolate(output.pred_masks[None], size=numbers["size"], mode="bilinear")[0]
    torch.testing.assert_close(masks[:, ::2, ::2], t["pred_masks"], **CLOSE)


@pytest.mark.parametrize("name", ["one_loc", "one_loc_b", "two_loc", "zero_loc"])
@torch.no_grad()
def test_boxes_and_masks_of_an_answer_equal_the_reference(name):
    """Each `[LOC]` of the teacher-forced answer is read one position early (oddity 9)."""
    t, _ = stored(f"infer.{name}")
    case = golden_json("vsm_cases")["inference"][name]
    model, loc = golden_vsm(), golden_json("vsm_state")["loc_token_idx"]
    clip = pixels(golden_tensors("vsm_cases")["clip_u8"])[case["image"]]
    sizes = (model.config.clip.num_tokens, 0)
    row = expanded_row(t["output_ids"][0], [Visual(0, True)], sizes)
    hidden = model.hidden_states(collate([Sample(name, (row,), (clip,))], pad_id=0))[:, :-1]
    assert hidden.shape[1] == case["hidden_len"]
    kept = t["last_hidden"]
    torch.testing.assert_close(hidden[:, -kept.shape[1] :], kept, **CLOSE)

    states = hidden[0, (row.input_ids == loc).nonzero().flatten() - 1]
    features = model.encode_detector(golden_detector_pixels()[case["image"]][None])
    image = torch.zeros(len(states), dtype=torch.long)
    logits, boxes = model.decode_boxes(features, states, image)
    torch.testing.assert_close(logits[..., None], t["pred_logits"], **CLOSE)
    torch.testing.assert_close(boxes[:1], t["pred_boxes"], **TIGHT)
    masks = model.decode_masks(features, states, image)
    torch.testing.assert_close(masks[:, None], t["low_res"], **CLOSE)
    full = F.interpolate(masks[:, None], size=case["original_size_hw"], mode="bilinear")[:, 0]
    torch.testing.assert_close(full, t["pred_masks"], **CLOSE)


@torch.no_grad()
def test_query_mlps_equal_the_reference():
    t, model = golden_tensors("vsm_cases"), golden_vsm()
    torch.testing.assert_close(model.detection_query(t["fcs.x"]), t["fcs.det"], **CLOSE)
    torch.testing.assert_close(model.mask_query(t["fcs.x"]), t["fcs.seg"], **CLOSE)


def test_greedy_decoding_equals_the_reference():
    case, model = golden_json("vsm_cases")["generate"], golden_vsm()
    ids = torch.tensor(case["input_ids"]).flatten()
    row = expanded_row(ids, [Visual(0, True)], (model.config.clip.num_tokens, 0))
    clip = pixels(golden_tensors("vsm_cases")["clip_u8"])[case["image"]]
    batch = collate([Sample("one", (row,), (clip,))], pad_id=0, side="left")
    (answer,) = model.generate(batch, case["max_new_tokens"])
    eos = model.llm.config.eos_token_id  # ours leaves it out
    assert answer == [token for token in case["generated_ids"] if token != eos]
