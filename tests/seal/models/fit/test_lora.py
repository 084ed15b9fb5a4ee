"""LoRA: what trains, what dropout depends on, and that merging changes nothing but the modules."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import pytest
import tiny_decoders
import torch
from mixed_batches import CLIP, LLM, OWL, vqa_model, vsm_sample
from plain_batches import named_sums
from torch import nn

from seal.batch import Batch, Row, Sample, VSMOutput
from seal.data.collate import collate
from seal.losses.vsm import VSMLoss
from seal.models.fit.lora import LoraConfig, RowDropout, RowSeeds, add_lora, merge_lora
from seal.models.parts.cue_decoder import CueDecoderConfig
from seal.models.vsm import VSM, VSMModelConfig

CONFIG = LoraConfig(rank=2, alpha=4, dropout=0.2)


def vsm_model() -> VSM:
    cue = CueDecoderConfig(hidden_size=16, depth=1, num_heads=2, mlp_size=16)
    model = VSMModelConfig(llm=LLM, vision=CLIP, detector=OWL, cue_decoder=cue).build()
    model.set_trainable()
    return model


def a_batch(*indices: int, step: int = 0) -> Batch:
    samples = [vsm_sample(i, torch.Generator().manual_seed(i)) for i in indices]
    batch = collate(samples, pad_id=0)
    batch.step = step
    return batch


def adapted(config: LoraConfig = CONFIG, *, trained: bool = True) -> VSM:
    """With `trained`, the adapters do something: they start at zero."""
    torch.manual_seed(3)
    model = vsm_model()
    add_lora(model, config)
    if trained:
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                nn.init.normal_(parameter, std=0.5)
    return model


def outputs(model: VSM, batch: Batch) -> VSMOutput:
    with torch.no_grad():
        return model(batch)


def test_adapters_sit_on_the_named_projections_of_the_language_model_alone():
    model = adapted()
    names = [n for n, _ in model.named_parameters() if ".lora_" in n]
    layers = model.llm.config.num_hidden_layers
    assert len(names) == layers * 2 * 2  # two projections, two matrices
    assert all(n.startswith("llm.") and ("q_proj" in n or "v_proj" in n) for n in names)


def test_new_adapters_change_nothing():
    torch.manual_seed(3)
    plain = vsm_model().eval()
    model = adapted(trained=False).eval()
    batch = a_batch(2, 9)
    torch.testing.assert_close(outputs(model, batch).logits, outputs(plain, batch).logits)


def test_the_adapters_are_trained_in_addition_to_what_was_chosen():
    torch.manual_seed(3)
    chosen = {n for n, p in vsm_model().named_parameters() if p.requires_grad}
    trained = {n for n, p in adapted().named_parameters() if p.requires_grad}
    added = {n for n in trained if ".lora_" in n}
    assert trained - added == chosen
    assert any("embed_tokens" in n for n in chosen) and any("lm_head" in n for n in chosen)


def test_adapters_train_instead_of_the_blocks():
    model = vqa_model()
    model.set_trainable("instruct")
    add_lora(model, CONFIG)
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    blocks = [n for n in trained if n.startswith(("llm.model.layers.", "llm.model.norm."))]
    assert blocks and all(".lora_" in n for n in blocks)
    assert {n.split(".")[0] for n in trained} == {"llm", "image_projector", "object_projector"}


def test_gradients_reach_every_adapter():
    model = adapted().train()
    batch = a_batch(2, 9)
    sum(named_sums(VSMLoss(), batch, model(batch)).values()).backward()
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            assert parameter.grad is not None and parameter.grad.any(), name
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_merging_gives_plain_modules_with_the_same_output():
    model = adapted().eval()
    batch = a_batch(2, 9)
    before = outputs(model, batch)
    keys = list(vsm_model().state_dict())
    merge_lora(model)
    assert list(model.state_dict()) == keys
    after = outputs(model, batch)
    for name in ("logits", "pred_logits", "pred_masks"):
        torch.testing.assert_close(
            getattr(after, name), getattr(before, name), atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("wanted", [torch.bfloat16, torch.float32])
def test_merging_into_half_precision_rounds_once(wanted):
    model = adapted()
    for name, parameter in model.named_parameters():
        if ".lora_" not in name:
            parameter.data = parameter.data.bfloat16()
    whole = copy.deepcopy(model).float()
    merge_lora(whole)
    merge_lora(model, wanted)
    expected = whole.to(wanted).state_dict()
    merged = {
        name: value
        for name, value in model.state_dict().items()
        if name.startswith("llm.") and "q_proj" in name
    }
    assert merged
    for name, value in merged.items():
        assert value.dtype == wanted and torch.equal(value, expected[name])


def test_dropout_is_drawn_from_seed_step_sample_and_layer_alone():
    """Not from the place in the batch or from torch's state: any number of processes agrees."""
    model = adapted().train()
    torch.manual_seed(1)
    hidden = model.hidden_states(a_batch(2, 4))
    torch.manual_seed(2)
    swapped = model.hidden_states(a_batch(4, 2))
    torch.testing.assert_close(hidden[0], swapped[1])
    torch.testing.assert_close(hidden[1], swapped[0])
    other_step = model.hidden_states(a_batch(2, 4, step=1))
    assert not torch.allclose(hidden, other_step)
    other_seed = adapted(LoraConfig(rank=2, alpha=4, dropout=0.2, seed=1)).train()
    assert not torch.allclose(hidden, other_seed.hidden_states(a_batch(2, 4)))


ROW = Row(torch.ones(40, dtype=torch.int64), torch.ones(40, dtype=torch.int64))


def test_rows_of_one_sample_and_layers_of_one_row_draw_apart():
    seeds = RowSeeds(seed=0)
    batch = collate([Sample("a", (ROW, ROW))], pad_id=0)
    seeds.begin(0, batch.row_keys, batch.position_ids)
    layers = [RowDropout(0.5, layer, seeds).train() for layer in range(2)]
    x = torch.ones(2, 40, 5)
    first, second = (layer(x) for layer in layers)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], second[0])


def test_dropout_keeps_the_mean_and_is_off_in_evaluation():
    long = torch.ones(400, dtype=torch.int64)
    seeds = RowSeeds(seed=0)
    batch = collate([Sample("a", (replace(ROW, input_ids=long, labels=long),))], pad_id=0)
    seeds.begin(0, batch.row_keys, batch.position_ids)
    dropout = RowDropout(0.25, 0, seeds)
    x = torch.ones(1, 400, 50)
    assert torch.equal(dropout.eval()(x), x)
    dropped = dropout.train()(x)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_checkpointed_activations_draw_the_same_dropout():
    model, batch = adapted().train(), a_batch(2, 9)
    other = copy.deepcopy(model)
    other.llm.gradient_checkpointing_enable({"use_reentrant": False})
    for one in (model, other):
        sum(named_sums(VSMLoss(), batch, one(batch)).values()).backward()
    for (name, a), (_, b) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        if a.grad is not None:
            assert torch.equal(a.grad, b.grad), name


def test_both_models_take_adapters():
    model = vqa_model()
    add_lora(model, CONFIG)
    assert model.row_seeds is not None
    merge_lora(model)
    assert model.row_seeds is None


def test_a_merged_model_takes_new_adapters():
    model = adapted()
    merge_lora(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        add_lora(model, CONFIG)
    assert len([n for n, _ in model.named_parameters() if ".lora_A." in n]) == 4


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"dropout": 1.0}, {"targets": []}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="LoRA needs"):
        LoraConfig(**wrong)


def test_projections_that_the_model_does_not_have_are_an_error():
    with pytest.raises(ValueError, match="qq_proj"):
        add_lora(vsm_model(), LoraConfig(targets=["qq_proj"]))


def test_a_target_that_the_family_does_not_have_is_told():
    model = tiny_decoders.vqa_model("phi3")
    with pytest.raises(ValueError, match=r"q_proj is no matrix of a phi3; .* o_proj, qkv_proj, "):
        add_lora(model, CONFIG)
    add_lora(model, replace(CONFIG, targets=["qkv_proj"]))
    assert sum(".lora_A." in name for name, _ in model.named_parameters()) == 2
