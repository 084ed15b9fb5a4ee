"""What a model takes is told to the byte for its weights, before anything is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import tiny_decoders
import tiny_models
import torch
from torch import Tensor, nn

from seal.images.tiles import TilesConfig
from seal.models.files.load import load_model
from seal.models.files.save import save_model
from seal.models.fit.memory import (
    GIB,
    WORKSPACE,
    Setting,
    expected_need,
    least_offload,
    need_lines,
)
from seal.models.parts.router import RouterConfig
from seal.models.presets import vqa_preset, vsm_preset
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModelConfig

MODELS = {
    "vqa": tiny_models.vqa_model,
    "vsm": tiny_models.vsm_model,
    "tied": lambda seed: tiny_decoders.vqa_model("qwen3"),
    "avg": lambda seed: tiny_models.levelled_vqa_model(
        seed, tiles=TilesConfig(), router=RouterConfig()
    ),
}
BOTH_7B = [vqa_preset("7b"), vsm_preset("7b")]


@pytest.fixture(scope="module", params=MODELS)
def folder(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / request.param
    save_model(path, MODELS[request.param](1), tiny_models.tokenizer().folder)
    return path


def held_bytes(model: nn.Module) -> int:
    """Of parameters and of what bitsandbytes keeps beside them."""
    total = 0
    for parameter in model.parameters():
        total += parameter.nbytes
        state = getattr(parameter, "quant_state", None)
        if state is not None:
            beside = (
                state.absmax,
                state.code,
                state.offset,
                state.state2.absmax,
                state.state2.code,
            )
            total += sum(tensor.nbytes for tensor in beside)
        scales = getattr(parameter, "SCB", None)
        total += scales.nbytes if isinstance(scales, Tensor) else 0
    return total


@pytest.mark.parametrize("quantization", [None, "int8", "nf4"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_weights_take_what_was_told_to_the_byte(folder, quantization, dtype):
    model = load_model(folder, dtype=dtype, quantization=quantization)
    need = expected_need([model.config], Setting(dtype, quantization))
    assert need.weights == held_bytes(model)


def test_a_question_s_keys_and_values_are_of_the_heads_that_have_them():
    sizes = {"hidden_size": 4096, "num_attention_heads": 32}
    whole, grouped = (
        expected_need(
            [VQAModelConfig(llm=LlmConfig(**sizes, num_key_value_heads=heads))], Setting()
        ).question
        - WORKSPACE
        for heads in (32, 8)
    )
    assert grouped == whole / 4 > 2**27


def test_a_picture_in_tiles_is_counted_at_its_finest_and_largest():
    config = vqa_preset("avg_7b")
    question = expected_need([config], Setting()).question - WORKSPACE
    square = replace(config, tiles=None)
    # Four local tiles beside the global one, with a newline a row; or an image and two crops.
    positions = [5 * 576 + 48 + 256, 3 * 576 + 256]
    assert question / (expected_need([square], Setting()).question - WORKSPACE) == pytest.approx(
        positions[0] / positions[1]
    )


def test_both_7b_models_fit_24_gib_in_8_and_4_bits_and_not_in_16():
    totals = {
        name: expected_need(BOTH_7B, Setting(quantization=name), shared_tower=True).total / GIB
        for name in (None, "int8", "nf4")
    }
    assert totals["nf4"] < totals["int8"] < 24 < totals[None]


def test_a_shared_tower_is_counted_once():
    alone, shared = (expected_need(BOTH_7B, Setting(), shared_tower=s) for s in (False, True))
    assert alone.weights - shared.weights == 2 * 303_179_776


def test_blocks_move_to_the_host_until_the_rest_fits():
    free = 24 * GIB
    blocks = least_offload(BOTH_7B, Setting(), free, shared_tower=True)
    here, less = (
        expected_need(BOTH_7B, Setting(offload=count), shared_tower=True)
        for count in (blocks, blocks - 1)
    )
    assert 0 < blocks < 32 and here.total < free
    assert here.weights + here.host == less.weights + less.host
    assert less.weights - here.weights == 2 * (here.host // blocks // 2)
    with pytest.raises(ValueError, match=r"with every block on the host, and 1\.0 GiB are free"):
        least_offload(BOTH_7B, Setting(), GIB)


def test_the_table_names_every_part_and_what_is_free():
    text = "\n".join(need_lines(expected_need(BOTH_7B, Setting()), Setting(), 24 * GIB))
    for part in ("VQA LLM: language model", "search model: vision tower", "one question", "in all"):
        assert part in text
    assert "bfloat16), GiB" in text and "24.00" in text


def test_a_13b_pair_needs_more_than_a_7b_pair():
    large = [vqa_preset("13b"), vsm_preset("13b")]
    assert expected_need(large, Setting()).weights > 1.8 * expected_need(BOTH_7B, Setting()).weights
