"""The search model: what trains, and what a batch without something still touches."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from mixed_batches import CLIP, LLM, LOC, OWL, vsm_sample
from plain_batches import named_sums

from seal.batch import Batch, Sample, Target
from seal.data.collate import collate
from seal.losses.vsm import VSMLoss
from seal.models.parts.cue_decoder import CueDecoderConfig
from seal.models.vsm import VSM, VSMModelConfig

CUE = CueDecoderConfig(hidden_size=16, depth=1, num_heads=2, mlp_size=16)
TRAINED = (
    "llm.model.embed_tokens.",
    "llm.lm_head.",
    "detection_query.",
    "mask_query.",
    "detector.class_head.",
    "mask_head.feature_projection.",
    "mask_head.prompt_encoder.no_mask_embed.",
    "mask_head.mask_decoder.",
)
# In the released files, read by no output: mask tokens 1 to 3 and the estimate of quality.
UNREAD = (
    *(f"mask_head.mask_decoder.output_hypernetworks_mlps.{i}." for i in (1, 2, 3)),
    "mask_head.mask_decoder.iou_prediction_head.",
)
CHAT, PRESENT, ABSENT, NOT_ANNOTATED, THREE = 0, 2, 4, 6, 8  # kinds of `vsm_sample`


def a_model(**options: bool) -> VSM:
    torch.manual_seed(0)
    model = VSMModelConfig(llm=LLM, vision=CLIP, detector=OWL, cue_decoder=CUE).build()
    model.set_trainable(**options)
    return model


def sample(kind: int) -> Sample:
    return vsm_sample(kind, torch.Generator().manual_seed(kind))


def a_batch(*kinds: int) -> Batch:
    return collate([sample(kind) for kind in kinds], pad_id=0)


def backward(model: VSM, batch: Batch) -> dict[str, torch.Tensor | None]:
    sum(named_sums(VSMLoss(), batch, model(batch)).values()).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({}, ()),
        ({"train_box_head": True}, ("detector.box_head.",)),
        ({"train_image_projector": True}, ("image_projector.",)),
    ],
)
def test_gradients_reach_exactly_what_the_paper_trains(options, more):
    """Oddity 13: the box head's switch really trains it."""
    model = a_model(**options)
    gradients = backward(model, a_batch(CHAT, PRESENT, ABSENT, NOT_ANNOTATED, THREE))
    wanted = (*TRAINED, *more)
    for name, gradient in gradients.items():
        trained = name.startswith(wanted) and not name.startswith(UNREAD)
        # The bias of a key shifts all scores alike: its gradient is rounding, or zero.
        assert (gradient is not None) == trained, name
        assert gradient is None or gradient.any() or name.endswith("k_proj.bias"), name


@pytest.mark.parametrize(
    "kinds",
    [[CHAT], [ABSENT], [NOT_ANNOTATED], [PRESENT], [THREE, CHAT]],
    ids=["chat", "absent", "not annotated", "present", "three and chat"],
)
def test_every_trained_parameter_has_a_gradient_whatever_the_batch_holds(kinds):
    """No expression, no box, no mask: a zero gradient is sent all the same."""
    model = a_model(train_box_head=True)
    gradients = backward(model, a_batch(*kinds))
    missing = [n for n, p in model.named_parameters() if p.requires_grad and gradients[n] is None]
    assert missing == []


def test_a_text_only_batch_touches_every_trained_parameter():
    chat = sample(CHAT)
    (row,) = chat.rows
    words = row.input_ids >= 0
    text = dataclasses.replace(
        row, input_ids=row.input_ids[words], labels=row.labels[words], visuals=()
    )
    batch = collate([Sample("text", (text,))], pad_id=0)
    model = a_model()
    gradients = backward(model, batch)
    assert not [n for n, p in model.named_parameters() if p.requires_grad and gradients[n] is None]
    assert not gradients["detection_query.0.weight"].any()


@torch.no_grad()
def test_a_batch_without_expressions_predicts_none_and_keeps_its_logits():
    model = a_model().eval()
    output = model(a_batch(CHAT))
    grid = OWL.grid_size
    assert output.pred_logits.shape == (0, grid**2)
    assert output.pred_boxes.shape == (0, grid**2, 4)
    assert output.pred_masks.shape == (0, 4 * grid, 4 * grid)
    both = model(a_batch(CHAT, PRESENT))
    torch.testing.assert_close(output.logits, both.logits[: len(output.logits)])


@torch.no_grad()
def test_expressions_of_a_mixed_batch_are_what_they_are_alone():
    model = a_model().eval()
    together = model(a_batch(PRESENT, CHAT, THREE, ABSENT))
    alone = [model(a_batch(kind)) for kind in (PRESENT, CHAT, THREE, ABSENT)]
    for name in ("logits", "pred_logits", "pred_boxes", "pred_masks"):
        parts = torch.cat([getattr(output, name) for output in alone])
        torch.testing.assert_close(getattr(together, name), parts, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_boxes_do_not_depend_on_the_expression_and_scores_do():
    output = a_model().eval()(a_batch(THREE))
    torch.testing.assert_close(output.pred_boxes[0], output.pred_boxes[1])
    assert not torch.allclose(output.pred_logits[0], output.pred_logits[1])


@torch.no_grad()
def test_an_image_is_encoded_once_for_all_its_expressions(monkeypatch):
    model, seen = a_model().eval(), []
    encode = model.detector.encode
    monkeypatch.setattr(model.detector, "encode", lambda x: seen.append(len(x)) or encode(x))
    model(a_batch(THREE, PRESENT))
    assert seen == [2]


@torch.no_grad()
def test_the_query_is_read_where_loc_is_predicted_not_where_it_stands():
    """Oddity 9: what follows the position before `[LOC]` cannot change the query."""
    model, batch = a_model().eval(), a_batch(PRESENT)
    before = model.query_states(batch)
    (loc,) = torch.nonzero(batch.input_ids.flatten() == LOC).flatten().tolist()
    assert batch.loc_positions.tolist() == [loc - 1]
    batch.input_ids.view(-1)[loc] = 5
    torch.testing.assert_close(model.query_states(batch), before)
    batch.input_ids.view(-1)[loc - 1] = 6
    assert not torch.allclose(model.query_states(batch), before)


@torch.no_grad()
def test_padding_on_the_left_changes_no_prediction():
    model = a_model().eval()
    samples = [sample(kind) for kind in (PRESENT, THREE)]
    right, left = (model(collate(samples, pad_id=0, side=side)) for side in ("right", "left"))
    torch.testing.assert_close(left.pred_logits, right.pred_logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(left.pred_masks, right.pred_masks, atol=1e-5, rtol=1e-5)


def test_the_query_alignment_reaches_the_query_mlp():
    from seal.losses.vsm import VSMLossConfig

    model, present = a_model(), sample(PRESENT)
    (target,) = present.targets
    aligned = dataclasses.replace(target, query=torch.ones(OWL.query_size))
    batch = collate([dataclasses.replace(present, targets=(aligned,))], pad_id=0)
    assert isinstance(batch.to("cpu").targets[0], Target)
    criterion = VSMLoss(VSMLossConfig(query_alignment=1.0, query_alignment_steps=5))
    criterion(batch.to("cpu"), model(batch))["query_alignment"].backward()
    assert model.detection_query[0].weight.grad.any()
    assert model.mask_query[0].weight.grad is None


def test_the_untrained_cue_decoder_paints_another_map_for_another_name():
    """With PyTorch's default start its maps are all but the same, and stay so for long."""
    torch.manual_seed(0)
    wide = dataclasses.replace(LLM, hidden_size=256)
    model = VSMModelConfig(llm=wide, vision=CLIP, detector=OWL).build()
    # The LLM ends in a norm: its states have unit variance.
    features = torch.randn(1, 4, 4, OWL.hidden_size).expand(50, -1, -1, -1)
    with torch.no_grad():
        maps = model.decode_masks(features, torch.randn(50, 256))
    between = (maps - maps.mean(0)).std()
    assert between > 0.1  # of the logits; by default .006
