"""What a run builds its model from."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from seal.models.fit.lora import LoraConfig
from seal.training import recipe


@pytest.mark.parametrize(
    ("quantization", "gpu", "device"),
    [("int8", True, "cuda"), ("int8", False, "cpu"), (None, True, "cpu")],
)
def test_packed_weights_are_read_to_where_they_train(
    quantization, gpu, device, tmp_path, monkeypatch
):
    """DeepSpeed moves a model as one module, and 8-bit scales would not come along."""
    asked = {}
    monkeypatch.setattr(recipe, "load_model", lambda folder, **options: asked.update(options))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    run = SimpleNamespace(
        init_from=str(tmp_path), quantization=quantization, train=SimpleNamespace(bf16=True)
    )
    recipe.Run.load_base(run)
    assert (asked["device"], asked["quantization"]) == (device, quantization)


@pytest.mark.parametrize("lora", [None, LoraConfig()])
def test_quantization_of_a_model_that_is_not_read_is_refused(lora):
    run = SimpleNamespace(init_from=None, quantization="nf4", lora=lora)
    with pytest.raises(
        ValueError, match="quantization=nf4 packs weights that are read: set init_f"
    ):
        recipe.Run._check_adapters(run)


def test_compiled_blocks_under_zero_3_are_refused():
    run = SimpleNamespace(
        train=SimpleNamespace(compile=True), deepspeed={"zero_optimization": {"stage": 3}}
    )
    with pytest.raises(ValueError, match=r"train\.compile=true does not work under ZeRO-3"):
        recipe.Run._check_compile(run)
    run.deepspeed["zero_optimization"]["stage"] = 2
    recipe.Run._check_compile(run)
