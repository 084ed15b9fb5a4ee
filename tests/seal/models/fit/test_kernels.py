"""Fused kernels are put in where they can run, into norms, MLPs and the rotary function only."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
import tiny_decoders
import torch
from fitted_models import deep_model, gradients, mixed_batch
from transformers.models.llama import modeling_llama

from seal.models.fit import kernels
from seal.models.fit.kernels import use_liger

CUDA, CPU = torch.device("cuda"), torch.device("cpu")
NAMES = ("LlamaRMSNorm", "LlamaMLP", "apply_rotary_pos_emb", "LlamaAttention")


@pytest.fixture
def liger(monkeypatch):
    """A package that records what it was asked, and replaces classes as the real one does."""
    asked: list[dict] = []

    def apply_liger_kernel_to_llama(model, **options):
        asked.append({"model": model, **options})
        modeling_llama.LlamaRMSNorm = modeling_llama.LlamaMLP = SimpleNamespace

    def liger_rotary_pos_emb(q, k, cos, sin):
        return "fused"

    package, transformers = ModuleType("liger_kernel"), ModuleType("liger_kernel.transformers")
    transformers.apply_liger_kernel_to_llama = apply_liger_kernel_to_llama
    transformers.liger_rotary_pos_emb = liger_rotary_pos_emb
    monkeypatch.setitem(sys.modules, "liger_kernel", package)
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", transformers)
    monkeypatch.setattr(kernels, "find_spec", lambda name: object())
    for name in NAMES:
        monkeypatch.setattr(modeling_llama, name, getattr(modeling_llama, name))
    return asked


@pytest.fixture
def absent(monkeypatch):
    monkeypatch.setattr(kernels, "find_spec", lambda name: None)


@pytest.mark.parametrize("choice", ["auto", "true"])
def test_norms_and_mlps_of_the_language_model_are_patched_and_no_loss(liger, choice):
    model = deep_model("vqa")
    before = {name: getattr(modeling_llama, name) for name in NAMES}
    assert use_liger(model, choice, CUDA)
    assert liger == [
        {
            "model": model.llm, "rms_norm": True, "swiglu": True, "rope": False,
            "cross_entropy": False, "fused_linear_cross_entropy": False,
        }
    ]  # fmt: skip
    # Classes stay as they were for models that are built later, and attention is not touched.
    for name in ("LlamaRMSNorm", "LlamaMLP", "LlamaAttention"):
        assert getattr(modeling_llama, name) is before[name]


def test_the_rotary_function_is_the_fused_one_on_cuda_only(liger):
    plain = modeling_llama.apply_rotary_pos_emb
    batch = mixed_batch("vqa")
    expected = gradients(deep_model("vqa"), "vqa", batch)
    model = deep_model("vqa")
    use_liger(model, "true", CUDA)
    use_liger(deep_model("vqa"), "true", CUDA)  # a second model: not wrapped twice
    rotary = modeling_llama.apply_rotary_pos_emb
    assert rotary is not plain and rotary.without_liger is plain
    on_gpu = SimpleNamespace(is_cuda=True)
    assert rotary(on_gpu, on_gpu, None, None) == "fused"
    found = gradients(model, "vqa", batch)
    assert all(torch.equal(found[key], gradient) for key, gradient in expected.items())


@pytest.mark.parametrize(("choice", "device"), [("false", CUDA), ("auto", CPU)])
def test_nothing_is_patched_unasked_or_off_cuda(liger, choice, device):
    assert not use_liger(deep_model("vqa"), choice, device)
    assert liger == []


def test_without_the_package_auto_does_without_and_true_says_how_to_get_it(absent):
    assert not use_liger(deep_model("vqa"), "auto", CUDA)
    with pytest.raises(ValueError, match=r"train\.liger=true needs .* pip install 'seal\[kernels"):
        use_liger(deep_model("vqa"), "true", CUDA)


def test_true_off_cuda_is_a_clear_error(liger):
    with pytest.raises(ValueError, match="needs a CUDA device, this one is cpu"):
        use_liger(deep_model("vqa"), "true", CPU)


def test_the_kernels_are_for_llama_alone(liger):
    model = tiny_decoders.vqa_model("qwen3")
    assert not use_liger(model, "auto", CUDA) and liger == []
    with pytest.raises(ValueError, match=r"architecture llama, this one is qwen3: .*liger=auto"):
        use_liger(model, "true", CUDA)
