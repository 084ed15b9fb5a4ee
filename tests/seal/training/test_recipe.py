"""What a run builds its model from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_models
import torch
from programs_here import ROOT

from seal.images.tiles import TilesConfig
from seal.losses.granularity import GranularityLoss, RouterLoss
from seal.models.files.adapter import write_adapter
from seal.models.files.model_config import config_to_dict
from seal.models.fit.lora import LoraConfig, add_lora
from seal.models.parts.router import RouterConfig
from seal.models.vqa import GranularityConfig
from seal.schema import compose
from seal.training import recipe
from seal.training.recipe import VQARun


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


def avg_run(name: str, **changes: Any) -> VQARun:
    run = compose(ROOT / "conf", "train_vqa", VQARun, [f"experiment={name}"])
    return replace(run, **changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lora": LoraConfig()}, "stage=router trains the router alone, .* set lora=null"),
        ({"train_vision_tower": True}, "stage=router trains the router alone: set train_vision"),
    ],
)
def test_what_a_router_is_not_trained_with_is_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        avg_run("avg_router_smoke", **changes)


def test_a_router_that_is_there_is_trained_on_and_not_replaced():
    run = avg_run("avg_router_smoke")
    model = replace(run.model, router=RouterConfig(text_tokens=8, num_heads=2))
    assert replace(run, model=model).model_config().router == model.router
    with pytest.raises(ValueError, match=r"but the model has one already: .*text_tokens=5"):
        replace(run, model=replace(model, router=RouterConfig(text_tokens=5))).model_config()


def saved(run: VQARun, folder: Path, unpad: str, levels: list[int] | None) -> str:
    """A model folder, of which nothing but its sizes is read."""
    granularity = None if levels is None else GranularityConfig(levels=levels)
    config = replace(run.model, granularity=granularity, tiles=TilesConfig(unpad=unpad))
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config_to_dict(config)))
    return str(folder)


def test_what_is_cut_off_tiles_stays_as_a_base_that_has_levels_was_trained(tmp_path):
    run = avg_run("avg_router_smoke")
    assert run.model.tiles.unpad == "tile"
    base = saved(run, tmp_path / "base", "as_released", run.model.granularity.levels)
    with pytest.raises(
        ValueError,
        match=r"tiles\.unpad: as_released there, tile in .*; leave model out .* or set unpad",
    ):
        replace(run, init_from=base).model_config()
    for changes, unpad in (({"model": None}, "as_released"), ({"unpad": "tile"}, "tile")):
        found = replace(run, init_from=base, **changes).model_config()
        assert found.tiles.unpad == unpad
    # Of all tokens both cut the same: a base without levels goes on either way.
    base = saved(run, tmp_path / "next", "as_released", None)
    assert replace(run, init_from=base).model_config().tiles.unpad == "tile"


def test_levels_that_adapters_brought_are_those_they_train_on_with(tmp_path):
    run = avg_run("avg_granularity_smoke")
    base = saved(run, tmp_path / "base", "tile", None)
    levels = GranularityConfig(levels=[2, 4, 16])
    tiles = TilesConfig(unpad="as_released")
    model = replace(run.model, granularity=levels, tiles=tiles).build()
    add_lora(model, LoraConfig(rank=2))
    adapters = {name: p for name, p in model.named_parameters() if ".lora_" in name}
    write_adapter(
        tmp_path / "adapter", adapters, LoraConfig(rank=2), base=base,
        tokenizer_folder=tiny_models.tokenizer().folder,
        facts={"model": config_to_dict(model.config)},
    )  # fmt: skip
    changes: dict[str, Any] = {"init_from": base, "lora": LoraConfig(rank=2), "model": None}
    assert replace(run, **changes).model_config().granularity.levels == [1, 2, 4, 8, 16]
    found = replace(run, **changes, init_adapter=str(tmp_path / "adapter")).model_config()
    assert (found.granularity, found.tiles) == (levels, tiles)


def test_unpadding_of_a_model_without_tiles_is_refused():
    run = avg_run("avg_router_smoke", unpad="as_released")
    with pytest.raises(ValueError, match=r"^unpad=as_released is of a model that reads tiles"):
        replace(run, model=replace(run.model, tiles=None)).model_config()


def test_other_sizes_than_the_bases_are_named_with_the_way_out(tmp_path):
    run = avg_run("avg_router_smoke")
    base = saved(run, tmp_path / "base", "tile", [2, 4, 16])
    with pytest.raises(
        ValueError,
        match=r"granularity\.levels: \[2, 4, 16\] there, .*; leave model out \(~model\) to take",
    ):
        replace(run, init_from=base).model_config()
    assert replace(run, init_from=base, model=None).model_config().granularity.levels == [2, 4, 16]


def test_a_new_router_is_drawn_from_the_seed_whatever_the_weights():
    def voter(seed: int) -> torch.Tensor:
        return avg_run("avg_router_smoke", seed=seed).build_model().router.voter

    assert torch.equal(voter(1), voter(1)) and not torch.equal(voter(1), voter(2))


def test_the_losses_are_those_of_the_stage():
    assert isinstance(avg_run("avg_router_smoke").criterion(), RouterLoss)
    criterion = avg_run("avg_granularity_smoke").criterion()
    assert isinstance(criterion, GranularityLoss) and criterion.levels == (1, 2, 4, 8, 16)
