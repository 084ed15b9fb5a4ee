"""8-bit and 4-bit models answer nearly the same, and adapters on them learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_models
import torch
import torch.nn.functional as F
from mixed_batches import row

from seal.batch import Batch, Sample, Visual
from seal.data.collate import collate
from seal.losses.vqa import VQALoss
from seal.models.files.authors import write_authors
from seal.models.files.load import load_model
from seal.models.files.save import save_model
from seal.models.fit.lora import LoraConfig, add_lora
from seal.models.fit.quantize import QUANTIZATIONS
from seal.models.vqa import VQAModel

BYTES = {"int8": 1.0, "nf4": 0.5}  # per weight


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "vqa"
    save_model(path, tiny_models.vqa_model(1), tiny_models.tokenizer().folder)
    return path


def a_batch() -> Batch:
    image = torch.randn(3, 28, 28, generator=torch.Generator().manual_seed(0))
    rows = (row([Visual(0, True)], [5, 6, 7], [8, 9]), row([Visual(0, False)], [4, 6], [11]))
    return collate([Sample("one", rows, (image,))], pad_id=0)


def blocks(model: VQAModel) -> list[torch.nn.Module]:
    linear = torch.nn.Linear
    return [m for m in model.llm.model.layers.modules() if isinstance(m, linear)]


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_only_the_blocks_are_packed_and_answers_stay_close(folder, quantization):
    whole, packed = load_model(folder), load_model(folder, quantization=quantization)
    for layer, plain in zip(blocks(packed), blocks(whole), strict=True):
        size = layer.weight.numel() * layer.weight.element_size()
        assert size == BYTES[quantization] * plain.weight.numel()
    apart = [n for n, p in packed.named_parameters() if not n.startswith("llm.model.layers.")]
    for name in apart:
        assert torch.equal(packed.get_parameter(name), whole.get_parameter(name)), name
    with torch.no_grad():
        wanted, found = (model(a_batch()).logits for model in (whole, packed))
    assert not torch.equal(wanted, found)
    assert F.cosine_similarity(wanted.flatten(), found.flatten(), dim=0) > 0.97


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_adapters_on_packed_weights_learn_also_after_an_evaluation(folder, quantization):
    """On some CPUs one evaluation pass repacks 4-bit weights and cuts later gradients."""
    model = load_model(folder, quantization=quantization)
    model.set_trainable("instruct")
    add_lora(model, LoraConfig(rank=2, dropout=0.0))

    def gradients() -> dict[str, torch.Tensor]:
        model.zero_grad()
        VQALoss()(a_batch(), model.train()(a_batch()))["ce"].backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    before = gradients()
    with torch.no_grad():
        model.eval()(a_batch())
    after = gradients()
    adapters = [name for name in before if ".lora_B." in name]
    assert len(adapters) == 2 * model.llm.config.num_hidden_layers
    for name in adapters:
        assert after[name].any() and torch.equal(after[name], before[name]), name
    inside = [n for n in before if n.startswith("llm.model.layers.")]
    assert all(".lora_" in name for name in inside)


def test_four_bit_weights_are_never_repacked_for_the_cpu(folder):
    """Where the CPU could: an evaluation pass would cut the gradients of the next training step."""
    model = load_model(folder, quantization="nf4")
    assert {layer.support_avx512bf16_for_cpu for layer in blocks(model)} == {False}


def test_outlying_features_of_8_bit_layers_keep_full_precision(folder):
    """LLM.int8() decomposes at 6.0; a layer without a threshold rounds everything."""
    model = load_model(folder, quantization="int8")
    assert {layer.state.threshold for layer in blocks(model)} == {6.0}


def test_packed_weights_are_not_saved(folder, tmp_path):
    model = load_model(folder, quantization="nf4")
    for save in (save_model, write_authors):
        with pytest.raises(ValueError, match="quantized weights cannot be saved"):
            save(tmp_path / "model", model, folder)
    assert not list(tmp_path.iterdir())


def test_an_unknown_quantization_is_refused_with_the_known_ones(folder):
    with pytest.raises(ValueError, match="int8, nf4"):
        load_model(folder, quantization="int4")
