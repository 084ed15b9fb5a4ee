"""LLaVA-NeXT's and AVG-LLaVA's checkpoints are read strictly, and written back key for key."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import tiny_models
import torch
from golden_avg import golden_config, golden_folder
from golden_files import golden_json, golden_path
from safetensors.torch import load_file, save_file

from seal.images.tiles import TilesConfig
from seal.models.files.authors import authors_keys, config_of_authors, is_authors, write_authors
from seal.models.files.key_report import compare_keys
from seal.models.files.layouts import layout_of
from seal.models.files.load import load_model, parameter_table, read_config
from seal.models.files.shards import StoredTensor, list_tensors
from seal.models.parts.router import RouterConfig
from seal.models.presets import preset_name, vqa_preset
from seal.models.vqa import GranularityConfig, VQAModelConfig

GRIDS = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
# What the released model says of itself, beside LLaMA's own keys.
RELEASED: dict[str, Any] = {
    "model_type": "llava_llama",
    "mm_vision_tower": "openai/clip-vit-large-patch14-336",
    "mm_hidden_size": 1024,
    "mm_projector_type": "mlp2x_gelu",
    "mm_vision_select_layer": -2,
    "mm_vision_select_feature": "patch",
    "mm_patch_merge_type": "spatial_unpad",
    "image_aspect_ratio": "anyres",
    "image_grid_pinpoints": GRIDS,
    "unfreeze_mm_vision_tower": True,
    "vis_token_granularity": [36, 72, 144, 288, 576],
    "router_select": True,
    "filtered_text_num": 32,
}
CLIP = "model.vision_tower.vision_tower.vision_model.embeddings"
ROUTER_KEYS = ("vis_token_granularity", "router_select", "filtered_text_num")
LLAMA = {
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32},
    "13b": {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40},
}


def llama(size: str) -> dict[str, Any]:
    heads = LLAMA[size]["hidden_size"] // 128
    return LLAMA[size] | {
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "vocab_size": 32000,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "rope_theta": 10000.0,
        "rope_scaling": None,
        "hidden_act": "silu",
    }


def released_shapes(size: str) -> dict[str, list[int]]:
    """Every key of zhibinlan/AVG-LLaVA, by the specification's names."""
    width, inner = LLAMA[size]["hidden_size"], LLAMA[size]["intermediate_size"]
    shapes = {
        "model.embed_tokens.weight": [32000, width],
        "lm_head.weight": [32000, width],
        "model.norm.weight": [width],
        "model.image_newline": [width],
        "model.mm_projector.0.weight": [width, 1024],
        "model.mm_projector.0.bias": [width],
        "model.mm_projector.2.weight": [width, width],
        "model.mm_projector.2.bias": [width],
        "model.router.router.0.weight": [width, width],
        "model.router.router.0.bias": [width],
        "model.router.router.2.weight": [5, width],
        "model.router.router.2.bias": [5],
        "model.router.voter": [36 + 72 + 144 + 288 + 576 + 32, 1],
        "model.router.norm.weight": [5],
        "model.router.norm.bias": [5],
        "model.router.merger.self_attn.in_proj_weight": [3 * width, width],
        "model.router.merger.self_attn.in_proj_bias": [3 * width],
    }
    for name in ("self_attn.out_proj", "linear1", "linear2"):
        shapes[f"model.router.merger.{name}.weight"] = [width, width]
        shapes[f"model.router.merger.{name}.bias"] = [width]
    for name in ("norm1", "norm2"):
        shapes |= {f"model.router.merger.{name}.{kind}": [width] for kind in ("weight", "bias")}
    for layer in range(LLAMA[size]["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes[f"{at}.self_attn.{name}.weight"] = [width, width]
        shapes[f"{at}.mlp.gate_proj.weight"] = shapes[f"{at}.mlp.up_proj.weight"] = [inner, width]
        shapes[f"{at}.mlp.down_proj.weight"] = [width, inner]
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{at}.{name}.weight"] = [width]
    tower = "model.vision_tower.vision_tower.vision_model"
    shapes |= {
        f"{tower}.embeddings.class_embedding": [1024],
        f"{tower}.embeddings.patch_embedding.weight": [1024, 3, 14, 14],
        f"{tower}.embeddings.position_embedding.weight": [577, 1024],
    }
    norms = [f"{tower}.pre_layrnorm", f"{tower}.post_layernorm"]
    for layer in range(24):
        at = f"{tower}.encoder.layers.{layer}"
        norms += [f"{at}.layer_norm1", f"{at}.layer_norm2"]
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes[f"{at}.self_attn.{name}.weight"] = [1024, 1024]
            shapes[f"{at}.self_attn.{name}.bias"] = [1024]
        shapes |= {f"{at}.mlp.fc1.weight": [4096, 1024], f"{at}.mlp.fc1.bias": [4096]}
        shapes |= {f"{at}.mlp.fc2.weight": [1024, 4096], f"{at}.mlp.fc2.bias": [1024]}
    shapes |= {f"{name}.{kind}": [1024] for name in norms for kind in ("weight", "bias")}
    return shapes


def stored(shapes: dict[str, list[int]]) -> dict[str, StoredTensor]:
    return {
        key: StoredTensor(golden_path("x"), key, tuple(shape), torch.float16)
        for key, shape in shapes.items()
    }


@pytest.mark.parametrize("size", LLAMA)
def test_every_released_tensor_has_one_home_of_its_shape(size, tmp_path):
    shapes = released_shapes(size)
    with torch.device("meta"):
        model = vqa_preset(f"avg_{size}").build()
    report = compare_keys(model, shapes)
    assert report.fits and report.recomputed == report.apart == 0
    assert report.mapped == len(shapes) == len(model.state_dict())
    state = model.state_dict()
    assert {
        theirs: list(state[ours].shape) for theirs, ours in authors_keys(model).items() if ours
    } == shapes
    parts = {name: count for name, count, _ in parameter_table(model)}
    width = LLAMA[size]["hidden_size"]
    assert parts["router"] == 7 * width**2 + 16 * width + 1148 + 15
    assert size == "13b" or parts["router"] // 10**6 == 117
    assert parts["image_projector"] == width**2 + 1026 * width
    assert parts["image_newline"] == width
    assert sum(parts.values()) == sum(p.numel() for p in model.parameters())
    # config.json tells the same sizes, and two quirks that ours does not train with.
    found = config_of_authors(tmp_path, llama(size) | RELEASED, stored(shapes))
    assert found == dataclasses.replace(
        vqa_preset(f"avg_{size}"),
        tiles=TilesConfig(unpad="as_released"),
        router=RouterConfig(attends="tiles"),
    )


def released_config(content: dict[str, Any], shapes: dict[str, list[int]]) -> VQAModelConfig:
    found = config_of_authors(golden_path("x"), llama("7b") | content, stored(shapes))
    assert isinstance(found, VQAModelConfig)
    return found


def test_models_that_training_begins_from_are_read_without_what_they_lack():
    """LLaVA-NeXT has no router and no levels, stage 3 levels alone, LLaVA-1.5 not even tiles."""
    whole = released_shapes("7b")
    shapes = {key: shape for key, shape in whole.items() if ".router." not in key}
    plain = {key: value for key, value in RELEASED.items() if key not in ROUTER_KEYS}
    released = released_config(RELEASED, whole)
    assert released.router == RouterConfig(attends="tiles")
    assert released.tiles == TilesConfig(unpad="as_released")
    next_ = released_config(plain, shapes)
    assert (next_.router, next_.granularity, next_.resampler) == (None, None, None)
    assert next_.tiles == TilesConfig() and next_.vision == released.vision
    levels = {"vis_token_granularity": RELEASED["vis_token_granularity"]}
    third = released_config(plain | levels, shapes)
    assert third == dataclasses.replace(released, router=None)
    # A stage-3 file may hold the router that was built beside it.
    assert released_config(plain | levels, whole) == released
    flat = plain | {"mm_patch_merge_type": "flat", "image_aspect_ratio": "pad"}
    del shapes["model.image_newline"]
    older = released_config(flat | {"model_type": "llava"}, shapes)
    assert older == dataclasses.replace(next_, tiles=None)
    text = RELEASED | {"image_grid_pinpoints": "[(336, 672), (672, 336)]"}
    assert released_config(text, whole).tiles.grids == [[1, 2], [2, 1]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mm_projector_type": "mlp3x_gelu"}, r"mm_projector_type='mlp3x_gelu' is none of"),
        ({"mm_vision_select_feature": "cls_patch"}, r"mm_vision_select_feature='cls_patch'"),
        ({"mm_patch_merge_type": "spatial"}, r"image_aspect_ratio='anyres' with mm_patch_merge"),
        ({"image_aspect_ratio": "square"}, r"image_aspect_ratio='square' with"),
        ({"image_grid_pinpoints": [[300, 672]]}, r"expected pairs of multiples of 336 pixels"),
        ({"image_grid_pinpoints": 5}, r"image_grid_pinpoints=5: expected pairs"),
        ({"vis_token_granularity": [100, 576]}, r"100 is no level of a tile of 24 x 24"),
        ({"vis_token_granularity": "36,576"}, r"vis_token_granularity='36,576' is no list"),
        ({"filtered_text_num": "32"}, r"filtered_text_num='32' is no whole number"),
        ({"filtered_text_num": 16}, r"voter has 1148 rows, but .* and filtered_text_num=16 are"),
        (
            {"vis_token_granularity": [288, 576]},
            r"voter has 1148 rows, but vis_token_granularity=.288",
        ),
        ({"image_grid_pinpoints": [[336.0, 672.0]]}, r"expected pairs of multiples of 336 pixels"),
        ({"mm_use_im_start_end": True}, r"mm_use_im_start_end is true"),
        ({"num_key_value_heads": 8}, r"num_key_value_heads=8 differs"),
        ({"hidden_size": "4096"}, r"hidden_size is '4096', expected int"),
        ({"intermediate_size": None}, r"intermediate_size is 'None', expected int"),
    ],
)
def test_settings_that_nothing_here_has_are_refused(change, says):
    shapes = released_shapes("7b")
    with pytest.raises(ValueError, match=says):
        released_config(RELEASED | change, shapes)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("model.embed_tokens.weight", r"embed_tokens\.weight has 0 rows, lm_head"),
        ("model.router.voter", r"model\.router\.voter has 0 rows"),
        (f"{CLIP}.position_embedding.weight", r"position_embedding\.weight has shape \[\] and"),
        (f"{CLIP}.patch_embedding.weight", r"patch_embedding\.weight \[\], which are no"),
    ],
)
def test_a_tensor_that_tells_a_size_and_has_none_is_named(key, says):
    with pytest.raises(ValueError, match=says):
        released_config(RELEASED, released_shapes("7b") | {key: []})


def test_a_router_that_is_not_in_the_file_is_asked_for():
    shapes = {key: shape for key, shape in released_shapes("7b").items() if ".router." not in key}
    with pytest.raises(ValueError, match=r"holds no model\.router\.voter: .*experiment=avg_router"):
        released_config(RELEASED, shapes)


def test_which_folders_of_a_llava_are_of_this_layout():
    theirs = {"model_type": "llava", "mm_projector_type": "mlp2x_gelu"}
    assert is_authors(RELEASED) and is_authors(theirs)
    for other in (
        {"model_type": "llava_next", "text_config": {}, "vision_config": {}},
        {"model_type": "llava", "text_config": {}, "mm_projector_type": "linear"},
        {"model_type": "llava_mistral", "mm_projector_type": "mlp2x_gelu"},
        RELEASED | {"model_class": "VQAModel"},
    ):
        assert not is_authors(other)


def tiny(**changes: Any) -> VQAModelConfig:
    """As released, and small: levels 1 to 4 of tiles of 2 x 2 tokens."""
    base = tiny_models.vqa_model().config
    vision = dataclasses.replace(base.vision, image_size=56, hidden_size=16)
    levels = GranularityConfig(levels=[4, 8, 16])
    router = RouterConfig(text_tokens=4, attends="tiles")
    llm = dataclasses.replace(base.llm, num_attention_heads=4)
    config = dataclasses.replace(
        base, llm=llm, vision=vision, resampler=None, projector="mlp2x_gelu",
        tiles=TilesConfig(unpad="as_released"), granularity=levels, router=router,
        token_policy="router",
    )  # fmt: skip
    return dataclasses.replace(config, **changes)


def built(config: VQAModelConfig):
    torch.manual_seed(0)
    return config.build().eval()


@pytest.mark.parametrize(
    "changes",
    [{}, {"router": None}, {"router": None, "granularity": None, "tiles": TilesConfig()},
     {"router": None, "granularity": None, "tiles": None, "projector": "linear"}],
    ids=["router", "levels", "tiles", "plain"],
)  # fmt: skip
def test_a_folder_written_for_their_code_is_read_back(changes, tmp_path):
    model = built(tiny(**changes))
    write_authors(tmp_path / "theirs", model, tiny_models.tokenizer().folder)
    written = load_file(tmp_path / "theirs" / "model.safetensors")
    assert not any(key.endswith("inv_freq") for key in written)
    assert ("model.router.voter" in written) == (model.config.router is not None)
    assert read_config(tmp_path / "theirs") == model.config
    found = load_model(tmp_path / "theirs").state_dict()
    assert found.keys() == model.state_dict().keys()
    assert all(torch.equal(value, found[key]) for key, value in model.state_dict().items())
    # Without the sizes that ours adds, their keys tell what they can.
    content = json.loads((tmp_path / "theirs" / "config.json").read_text())
    del content["seal"]
    told = config_of_authors(tmp_path, content, list_tensors(tmp_path / "theirs"))
    assert dataclasses.replace(told, vision=model.config.vision) == dataclasses.replace(
        model.config, token_policy=told.token_policy
    )


def test_a_tensor_more_or_less_is_named(tmp_path):
    write_authors(tmp_path / "theirs", built(tiny()), tiny_models.tokenizer().folder)
    path = tmp_path / "theirs" / "model.safetensors"
    state = load_file(path)
    newline = state.pop("model.image_newline")
    save_file(state, path)
    with pytest.raises(ValueError, match=r"no key begins with model\.image_newline"):
        load_model(tmp_path / "theirs")
    state["model.image_newline"] = newline
    bias = state.pop("model.router.merger.norm2.bias")
    save_file(state, path)
    with pytest.raises(ValueError, match=r"missing key router\.layer\.norm2\.bias"):
        load_model(tmp_path / "theirs")
    save_file(state | {"model.router.merger.norm2.bias": bias[:3].clone()}, path)
    with pytest.raises(ValueError, match=r"router\.layer\.norm2\.bias has shape \[3\]"):
        load_model(tmp_path / "theirs")
    state["model.router.merger.norm2.bias"] = bias
    save_file(state | {"model.router.text_filter.weight": bias.clone()}, path)
    with pytest.raises(ValueError, match=r"model\.router\.text_filter\.weight: expected one rule"):
        load_model(tmp_path / "theirs")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"router": RouterConfig(text_tokens=4)}, r"router\.attends=tokens"),
        ({"router": RouterConfig(num_heads=4, attends="tiles")}, r"router\.num_heads=4"),
        ({"tiles": TilesConfig()}, r"tiles\.unpad=tile"),
        # They pool 24 x 24 by 4 for 32 tokens, and are left with 36.
        (
            {
                "granularity": GranularityConfig(levels=[32, 36, 576]),
                "vision": dataclasses.replace(vqa_preset("avg_miniature").vision, image_size=336),
            },
            r"granularity\.levels=\[32\]",
        ),
        ({"prompt_style": "chat"}, "prompt_style=chat"),
    ],
)
def test_settings_that_their_code_cannot_be_told_are_refused(changes, says):
    config = tiny(**changes)
    with pytest.raises(ValueError, match=f"no place for {says}: write our layout"):
        layout_of(config).write(config)


def test_a_seal_model_with_parts_of_another_is_refused():
    config = dataclasses.replace(tiny(), resampler=tiny_models.vqa_model().config.resampler)
    with pytest.raises(ValueError, match=r"no place for projector=mlp2x_gelu, tiles, granularity"):
        layout_of(config).write(config)


@pytest.mark.goldens("avg_model")
def test_writing_the_golden_model_gives_its_file_back(tmp_path):
    model = load_model(golden_folder())
    fixed = dataclasses.replace(model.config, router=RouterConfig(attends="tiles"))
    model.config = fixed
    write_authors(tmp_path / "theirs", model, tiny_models.tokenizer().folder)
    written = load_file(tmp_path / "theirs" / "model.safetensors")
    reference = load_file(golden_path("avg/model/model.safetensors"))
    assert written.keys() == reference.keys()
    assert all(torch.equal(value, reference[key].float()) for key, value in written.items())
    content = json.loads((tmp_path / "theirs" / "config.json").read_text())
    told = golden_json("avg/model/config")
    for key in content.keys() & told.keys() - {"mm_vision_tower"}:
        assert content[key] == told[key], key
    training = {"margin", "rank_loss_weight", "ce_loss_weight"}
    of_theirs = {key for key in told if key.startswith(("mm_", "image_", "vis_", "router_"))}
    assert of_theirs <= content.keys() and not training & content.keys()
    assert preset_name(golden_config()) is None
