"""The search model: the reference's training batches, validation and inference."""

from __future__ import annotations

import functools

import pytest
import torch
import torch.nn.functional as F
from golden_files import golden_cases, golden_json, golden_path, golden_tensors, parse_turns
from golden_models import (
    IMAGE,
    build_golden_vsm,
    expanded_row,
    golden_detector_pixels,
    golden_vsm,
    pixels,
    stored_stride,
)
from plain_batches import match, mean_losses
from torch import Tensor

from seal.batch import IGNORE_INDEX, Batch, Mask, Sample, Target, Visual, VSMOutput
from seal.data.collate import collate
from seal.losses.detection import focal_loss, giou_loss, l1_loss
from seal.losses.vsm import VSMLoss, VSMLossConfig
from seal.models.files.checkpoint_table import VSM_NAMES, rename
from seal.text.conversation import VSM as VSM_TEMPLATE
from seal.text.conversation import conversation_row, encode_slots
from seal.text.tokenize import load_tokenizer
from seal.text.tokens import VisualSizes

pytestmark = pytest.mark.goldens("vsm_cases")
CLOSE = {"atol": 1e-4, "rtol": 1e-4}
TIGHT = {"atol": 1e-5, "rtol": 1e-5}
BATCHES = [name for name in golden_cases("vsm_cases") if str(name).startswith("train")]


def rows_of(t: dict, numbers: range) -> list:
    sizes = (golden_vsm().config.vision.num_tokens, 0)
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
                Mask.pack(t[f"masks{i}"][r - first]) if t[f"masks_valid{i}"][r - first] else None,
            )
            for r in range(first, last)
        )
        rows = tuple(rows_of(t, range(first, last)))
        samples.append(Sample(f"{name}-{i}", rows, (clip[image],), owl[image], targets))
    return collate(samples, pad_id=0, positions="all")


def thinned(masks: Tensor, kept: Tensor) -> Tensor:
    """(N, H, W) -> the rows and columns that the golden kept."""
    y, x = (stored_stride(masks.shape[i], kept.shape[i]) for i in (1, 2))
    return masks[:, ::y, ::x]


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
            whole = torch.tensor([[0.5, 0.5, 1.0, 1.0]])
            chosen, _ = match(output.pred_logits[i], output.pred_boxes[i], whole)
            ours += theirs - giou_loss(output.pred_boxes[i][chosen], whole).sum().item()
    return ours


@pytest.mark.parametrize("name", BATCHES)
def test_losses_of_the_training_batches_equal_the_reference(name):
    t, numbers = stored(name)
    batch, output = predicted(name)
    criterion = VSMLoss(VSMLossConfig(giou_reduction="as_released"))
    parts = mean_losses(criterion, batch, output)
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
    masks = parts["bce"].item() + parts["dice"].item()
    detection = parts["focal"].item() + parts["l1"].item() + 0.2 * giou
    for value, wanted_sum in (
        (masks, losses["mask_loss"]),
        (detection, losses["detection_loss"]),
        (parts["ce"].item() + masks + detection, losses["loss"]),
    ):
        assert value == pytest.approx(wanted_sum, rel=1e-5, abs=1e-5)
    check_criterion(name, batch, output)
    step = stored_stride(output.pred_logits.shape[1], t["pred_logits"].shape[1])
    torch.testing.assert_close(output.pred_logits[:, ::step, None], t["pred_logits"], **CLOSE)


def check_criterion(name: str, batch: Batch, output: VSMOutput) -> None:
    """Each expression's focal loss and each pair's L1 and GIoU, where it is annotated."""
    t, numbers = stored(name)
    config, at = VSMLossConfig(), 0
    valid = zip(numbers["n_bboxes"], numbers["bboxes_valid"], strict=True)
    assert max(sum(n for n, annotated in valid if annotated), 1) == numbers["num_boxes"]
    for i, target in enumerate(batch.targets):
        rows, columns = (torch.tensor(x, dtype=torch.long) for x in numbers["indices"][i])
        pairs = slice(at, at + len(rows))
        at += len(rows)
        if target.boxes is None:
            assert not numbers["bboxes_valid"][i]  # the golden compares it with an invented box
            continue
        found, true = output.pred_boxes[i][rows], target.boxes[columns]
        assert numbers["bboxes_valid"][i]
        count = numbers["num_boxes"]
        l1 = t["criterion.loss_bbox"][pairs].sum(-1) * count
        torch.testing.assert_close(l1_loss(found, true), l1, **TIGHT)
        giou = t["criterion.loss_giou"][pairs] * count
        torch.testing.assert_close(giou_loss(found, true), giou, **TIGHT)
        wanted = torch.zeros_like(output.pred_logits[i]).index_fill(0, rows, 1.0)
        focal = focal_loss(output.pred_logits[i], wanted, alpha=config.alpha, gamma=config.gamma)
        torch.testing.assert_close(focal.sum()[None], t["criterion.loss_ce"][i], **TIGHT)


@pytest.mark.parametrize("name", [*BATCHES, "val"])
def test_ids_labels_and_masks_of_the_batches_are_made_from_their_conversations(name):
    t, numbers = stored(name)
    tokenizer, sizes = load_tokenizer(golden_path("tokenizer_vsm")), VisualSizes(1, 1)
    loc = tokenizer.token_id("[LOC]")
    for golden in ("vsm_state", "vsm_cases"):
        assert loc == golden_json(golden)["loc_token_idx"]
    for index, text in enumerate(numbers["conversations"]):
        chat = f"{VSM_TEMPLATE.image}[LOC]" in text
        shown = text.replace(f"{VSM_TEMPLATE.image}[LOC]", "<image>")
        turns = parse_turns(shown.replace(VSM_TEMPLATE.image, "<image>"))
        row = conversation_row(
            tokenizer, VSM_TEMPLATE, turns, image=Visual(0, True), sizes=sizes, masked_loc=chat
        )
        length = len(row.input_ids)
        mask = torch.ones(length, dtype=torch.bool)
        mask = mask if row.attention_mask is None else row.attention_mask
        if "bboxes_valid" in numbers and not numbers["bboxes_valid"][index]:
            # There the mask hits an answer's `[LOC]` too; in its data such rows are all chat.
            mask = mask & (row.input_ids != loc)
        for ours, theirs, pad in (
            (row.input_ids, t["input_ids"], tokenizer.pad_id),
            (row.labels, t["labels"], IGNORE_INDEX),
            (mask, t["attention_masks"], False),
        ):
            assert torch.equal(ours, theirs[index, :length].to(ours.dtype))
            assert (theirs[index, length:] == pad).all()


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
        kept = t[f"pred_masks{i}"]
        torch.testing.assert_close(thinned(masks, kept), kept, **CLOSE)


@pytest.mark.parametrize("name", BATCHES)
def test_gradients_of_the_training_batches_equal_the_reference(name):
    """The reference trains all but CLIP here; heads that no output reads have no gradient."""
    _, numbers = stored(name)
    batch, model = training_batch(name), build_golden_vsm()
    model.requires_grad_(True)
    model.vision_tower.requires_grad_(False)
    criterion = VSMLoss(VSMLossConfig(giou_reduction="as_released"))
    parts = mean_losses(criterion, batch, model(batch))
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
    torch.testing.assert_close(thinned(masks, t["pred_masks"]), t["pred_masks"], **CLOSE)


@pytest.mark.parametrize("name", golden_cases("vsm_cases", "inference"))
@torch.no_grad()
def test_boxes_and_masks_of_an_answer_equal_the_reference(name):
    """Each `[LOC]` of the teacher-forced answer is read one position early (oddity 9)."""
    t, _ = stored(f"infer.{name}")
    case = golden_json("vsm_cases")["inference"][name]
    model, loc = golden_vsm(), golden_json("vsm_state")["loc_token_idx"]
    clip = pixels(golden_tensors("vsm_cases")["clip_u8"])[case["image"]]
    sizes = (model.config.vision.num_tokens, 0)
    row = expanded_row(t["output_ids"][0], [Visual(0, True)], sizes)
    hidden = model.hidden_states(collate([Sample(name, (row,), (clip,))], pad_id=0))[:, :-1]
    assert hidden.shape[1] == case["hidden_len"]
    kept = t["last_hidden"]
    torch.testing.assert_close(hidden[:, -kept.shape[1] :], kept, **CLOSE)

    tokenizer = load_tokenizer(golden_path("tokenizer_vsm"))
    for ids, text in (
        (t["input_ids"], case["prompt"]),
        (t["output_ids"], f"{case['prompt']} {case['answer']}{VSM_TEMPLATE.stop}"),
    ):
        ours = [i if i >= 0 else IMAGE for i in encode_slots(tokenizer, text)]
        assert [tokenizer.bos_id, *ours] == ids[0].tolist()

    states = hidden[0, (row.input_ids == loc).nonzero().flatten() - 1]
    torch.testing.assert_close(model.detection_query(states), t["det_prompt"][:, 0], **CLOSE)
    torch.testing.assert_close(model.mask_query(states), t["seg_prompt"][:, 0], **CLOSE)
    features = model.encode_detector(golden_detector_pixels()[case["image"]][None])
    image = torch.zeros(len(states), dtype=torch.long)
    logits, boxes = model.decode_boxes(features, states, image)
    assert list(logits[..., None].shape) == case["pred_logits_shape"]
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


@pytest.mark.goldens("greedy")
def test_greedy_decoding_equals_the_reference():
    case, model = golden_json("vsm_cases")["generate"], golden_vsm()
    ids = torch.tensor(case["input_ids"]).flatten()
    tokenizer = load_tokenizer(golden_path("tokenizer_vsm"))
    prompt = [i if i >= 0 else IMAGE for i in encode_slots(tokenizer, case["prompt"])]
    assert [tokenizer.bos_id, *prompt] == ids.tolist()
    row = expanded_row(ids, [Visual(0, True)], (model.config.vision.num_tokens, 0))
    clip = pixels(golden_tensors("vsm_cases")["clip_u8"])[case["image"]]
    batch = collate([Sample("one", (row,), (clip,))], pad_id=0, side="left")
    (answer,) = model.generate(batch, case["max_new_tokens"])
    eos = model.llm.config.eos_token_id  # ours leaves it out
    assert answer == [token for token in case["generated_ids"] if token != eos]


def test_the_weights_of_the_losses_are_the_originals():
    stored, ours = golden_json("vsm_state")["loss_weights"], VSMLossConfig()
    names = ("ce", "dice", "bce")
    assert {f"{name}_loss_weight": getattr(ours, name) for name in names} | {
        "det_loss_weight": ours.detection
    } == stored
