from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from mixed_batches import CLIP, LEVELED, MixedSamples
from torch import Tensor, nn

from seal.data.collate import collate
from seal.models.parts.llm import ARCHITECTURES
from seal.models.parts.projectors import ResamplerConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.training.activations import Load, count_activations, saved_bytes

POSITIONS = 96
RESAMPLER = ResamplerConfig(num_latents=2, depth=1, num_heads=2, head_size=4)


def kept_by(run: Any, weights: set[int]) -> int:
    """Bytes that a real forward pass keeps for the backward pass."""
    kept: dict[int, tuple[int, Any]] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage._cdata] = (storage.nbytes(), storage)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = run()
    del output
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize(("checkpointing", "every"), [(False, 1), (True, 1), (True, 3)])
def test_what_the_blocks_keep_is_what_a_real_pass_keeps(dtype, checkpointing, every):
    llm = LlmConfig(
        vocab_size=64, hidden_size=128, intermediate_size=352, num_hidden_layers=6,
        num_attention_heads=2,
    )  # fmt: skip
    model = VQAModelConfig(llm=llm, vision=CLIP, resampler=RESAMPLER).build().to(dtype)
    blocks = model.llm.model.layers
    model.set_trainable("instruct")
    if checkpointing:
        model.llm.gradient_checkpointing_enable({"use_reentrant": False})
        for index, block in enumerate(blocks):
            block.gradient_checkpointing = index % every == 0
    embeddings = torch.randn(1, POSITIONS, 128, dtype=dtype, requires_grad=True)
    weights = {p.untyped_storage().data_ptr() for p in model.llm.parameters()}
    found = kept_by(
        lambda: model.llm.model.train()(inputs_embeds=embeddings, use_cache=False), weights
    )
    told = count_activations(
        model, Load(positions=POSITIONS, supervised=0), dtype=dtype,
        gradient_checkpointing=checkpointing, recompute_every=every,
    )  # fmt: skip
    assert told.kept == pytest.approx(found, rel=0.10)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_grouped_heads_and_norms_of_queries_are_counted(architecture, dtype):
    llm = LlmConfig(
        architecture=architecture, vocab_size=64, hidden_size=128, intermediate_size=352,
        num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=2,
    )  # fmt: skip
    model = VQAModelConfig(llm=llm, vision=CLIP, resampler=RESAMPLER).build().to(dtype)
    model.set_trainable("instruct")
    embeddings = torch.randn(1, POSITIONS, 128, dtype=dtype, requires_grad=True)
    weights = {p.untyped_storage().data_ptr() for p in model.llm.parameters()}
    found = kept_by(
        lambda: model.llm.model.train()(inputs_embeds=embeddings, use_cache=False), weights
    )
    told = count_activations(
        model, Load(positions=POSITIONS, supervised=0), dtype=dtype, gradient_checkpointing=False
    )
    assert told.kept == pytest.approx(found, rel=0.10)


@pytest.fixture(scope="module")
def vicuna():
    with torch.device("meta"):
        model = VQAModelConfig().build()
    model.set_trainable("instruct")
    return model


LOAD = Load(positions=8000, supervised=2000, images=24, long=16, short=8)


def counted(model: Any, load: Load = LOAD, **options: Any) -> Any:
    return count_activations(
        model, load, **{"dtype": torch.bfloat16, "gradient_checkpointing": True, **options}
    )


def test_recomputation_keeps_an_input_a_block_and_every_other_block_lies_between(vicuna):
    none = counted(vicuna, gradient_checkpointing=False)
    all_, half = counted(vicuna), counted(vicuna, recompute_every=2)
    assert all_.kept < half.kept < none.kept
    assert half.kept == pytest.approx((all_.kept + none.kept) / 2, rel=0.01)
    # 32 blocks of 2 bytes x 4096 a position, and little else
    assert all_.kept > 32 * 8000 * 8192
    assert all_.block > none.block


def test_only_supervised_positions_have_logits(vicuna):
    assert counted(vicuna).logits == 2000 * 32000 * 12
    assert counted(vicuna, replace(LOAD, supervised=0)).logits == 0


def test_every_expression_of_the_search_model_counts():
    with torch.device("meta"):
        model = VSMModelConfig().build()
    model.set_trainable()
    load = Load(positions=400, supervised=20, images=1, long=1, detections=1)
    one, two = (counted(model, replace(load, expressions=n)).kept for n in (1, 2))
    none = counted(model, load).kept
    assert two - one == one - none > 20e6  # of 2304 cells and 36864 pixels
    assert counted(model, load).towers > 2305 * 768 * 2


def test_the_meta_device_tells_what_a_real_module_keeps():
    module = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.LayerNorm(256), nn.Linear(256, 8))
    weights = {p.untyped_storage().data_ptr() for p in module.parameters()}
    data = torch.randn(10, 64)
    told = saved_bytes(module, lambda m: m(torch.empty(10, 64, device="meta")), torch.float32)
    assert told == kept_by(lambda: module(data), weights)


@pytest.mark.parametrize("name", LEVELED)
def test_what_a_step_at_levels_keeps_is_what_a_real_pass_keeps(name):
    """Of a router alone nothing of the language model; of a trained tower its own."""
    torch.manual_seed(0)
    build, _ = LEVELED[name]
    model = build().train()
    samples = MixedSamples(name)
    batch = collate([samples[index] for index in (3, 5, 8)], pad_id=0, pack=True)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    told = count_activations(
        model, Load.of(batch), dtype=torch.float32, gradient_checkpointing=False
    )
    assert kept_by(lambda: model(batch), weights) == pytest.approx(told.kept, rel=0.3)
