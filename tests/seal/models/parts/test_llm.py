"""Every family of decoders computes what transformers' own model of it computes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import tiny_decoders
import tiny_models
import torch
from mixed_batches import CLIP, vqa_sample, vsm_sample
from plain_batches import named_sums
from safetensors.torch import load_file
from tiny_decoders import vqa_model, vsm_model

from seal.data.collate import collate
from seal.inference.prefix import pad_right
from seal.inference.prefix_pool import PrefixPool, PrefixShape
from seal.inference.shared_prefix import Ending, continue_behind, read_beginnings
from seal.losses.vqa import VQALoss
from seal.losses.vsm import VSMLoss
from seal.models.files.load import load_model
from seal.models.files.model_config import config_from_dict, config_to_dict
from seal.models.files.public_parts import from_parts
from seal.models.files.save import save_model
from seal.models.parts.llm import ARCHITECTURES, LlmConfig
from seal.models.vqa import VQAModelConfig

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
families = pytest.mark.parametrize("name", list(tiny_decoders.CONFIGS))


def drawn(lengths: list[int]) -> list[list[int]]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(3, 39, (n,), generator=generator).tolist() for n in lengths]


def test_each_architecture_is_among_the_tiny_ones():
    assert {LlmConfig.of(tiny_decoders.folder(n)).architecture for n in tiny_decoders.CONFIGS} == (
        set(ARCHITECTURES)
    )


@families
@torch.no_grad()
def test_logits_are_those_of_the_family_s_own_model(name):
    model = vqa_model(name)
    ids, mask = pad_right(drawn([90, 61]), torch.device("cpu"))
    inputs = {"input_ids": ids, "attention_mask": mask.long()}
    theirs = tiny_decoders.build(name)(**inputs).logits
    assert theirs.std() > 0.5
    ours = model.llm.lm_head(model.llm.model(**inputs, use_cache=False).last_hidden_state)
    torch.testing.assert_close(ours[mask], theirs[mask], **CLOSE)


@pytest.mark.parametrize("name", ["smollm2", "mistral", "qwen3", "olmo2"])
def test_expressions_about_one_image_in_a_row_are_expressions_in_rows_of_their_own(name):
    """Grouped heads under a mask."""
    model = vsm_model(name)
    sample = vsm_sample(8, torch.Generator().manual_seed(8))
    sums = []
    for pack in (True, False):
        batch = collate([sample], pad_id=0, pack=pack)
        assert not pack or batch.documents[0].branched
        sums.append(torch.stack(list(named_sums(VSMLoss(), batch, model(batch)).values())))
    torch.testing.assert_close(*sums, **CLOSE)


@families
def test_packed_rows_are_padded_rows_are_rows_alone(name):
    model = vqa_model(name)
    model.set_trainable("instruct")
    samples = [vqa_sample(i, torch.Generator().manual_seed(i)) for i in range(0, 10, 2)]
    found = []
    for batches in (
        [collate(samples, pad_id=0, pack=True)],
        [collate(samples, pad_id=0)],
        [collate([sample], pad_id=0) for sample in samples],
    ):
        model.zero_grad()
        losses: Any = 0.0
        for batch in batches:
            losses = losses + sum(named_sums(VQALoss(), batch, model(batch)).values())
        losses.backward()
        found.append((losses, {n: p.grad.clone() for n, p in model.llm.named_parameters()}))
    (packed, gradients), *others = found
    for losses, theirs in others:
        torch.testing.assert_close(packed, losses, **CLOSE)
        for key, gradient in theirs.items():
            torch.testing.assert_close(gradients[key], gradient, atol=2e-5, rtol=1e-4, msg=key)


@families
@torch.no_grad()
def test_answers_behind_a_beginning_are_those_of_the_family_s_own_model(name):
    model, theirs = vqa_model(name), tiny_decoders.build(name)
    prompts, behind = drawn([20, 20, 20]), [[5, 6, 7], [8], [9, 10]]
    llm = model.config.llm
    shape = PrefixShape(llm.num_hidden_layers, llm.key_value_heads, 20, llm.head_width, model.dtype)
    pool = PrefixPool(shape, model.device, capacity=3, block=2)
    slots = pool.take(3)
    read_beginnings(model, pool, slots, model.llm.get_input_embeddings()(torch.tensor(prompts)))
    answers = continue_behind(model, pool, slots, behind, Ending(6, frozenset()))
    for prompt, rest, answer in zip(prompts, behind, answers, strict=True):
        whole = torch.tensor([prompt + rest])
        given = theirs.generate(whole, max_new_tokens=6, do_sample=False, pad_token_id=0)
        expected = given[0, whole.shape[1] :].tolist()
        assert answer == [token for token in expected if token != 2]


@pytest.mark.parametrize("name", ["smollm2", "llama3", "qwen3", "phi3"])
def test_a_saved_model_is_the_same_and_holds_tied_embeddings_once(name, tmp_path):
    model = vqa_model(name)
    save_model(tmp_path / "model", model, tiny_models.tokenizer().folder)
    stored = load_file(tmp_path / "model" / "model.safetensors")
    tied = model.config.llm.tie_word_embeddings
    assert ("llm.lm_head.weight" in stored) != tied
    again = load_model(tmp_path / "model")
    assert again.config == model.config
    assert (again.llm.lm_head.weight is again.llm.model.embed_tokens.weight) == tied
    found = again.state_dict()
    assert all(torch.equal(value, found[key]) for key, value in model.state_dict().items())


def config_file(tmp_path, **settings: Any):
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": 2} | settings))
    return tmp_path


def test_the_sizes_of_a_hub_s_config_are_read(tmp_path):
    """The published config.json of SmolLM2-135M and Llama 3.1, in their form of before 5.0."""
    small = LlmConfig.of(
        config_file(
            tmp_path, model_type="llama", vocab_size=49152, hidden_size=576, num_hidden_layers=30,
            intermediate_size=1536, num_attention_heads=9, num_key_value_heads=3,
            max_position_embeddings=8192, rms_norm_eps=1e-5, rope_theta=100000, rope_scaling=None,
            tie_word_embeddings=True, bos_token_id=1, rope_interleaved=False,
        )
    )  # fmt: skip
    assert small == LlmConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=8192,
        rms_norm_eps=1e-5, rope_theta=1e5, tie_word_embeddings=True,
    )  # fmt: skip
    scaling = {
        "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192, "rope_type": "llama3",
    }  # fmt: skip
    large = LlmConfig.of(
        config_file(
            tmp_path, model_type="llama", max_position_embeddings=131072, rope_theta=5e5,
            rope_scaling=scaling, bos_token_id=128000, eos_token_id=[128001, 128008, 128009],
            num_key_value_heads=8, vocab_size=128256,
        )
    )  # fmt: skip
    assert (large.rope_theta, large.rope_scaling) == (5e5, scaling)
    assert (large.eos_token_id, large.key_value_heads, large.head_width) == (128001, 8, 128)


def test_a_window_limits_the_positions(tmp_path):
    config = LlmConfig.of(config_file(tmp_path, model_type="mistral", sliding_window=4096))
    assert config.max_position_embeddings == 4096
    assert config.hf_config().sliding_window is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "gpt2"}, "model_type='gpt2' is none of llama, mistral, "),
        ({"model_type": "llama", "hidden_act": "gelu"}, "hidden_act=gelu is not supported"),
        ({"model_type": "llama", "mlp_bias": True}, "mlp_bias=True is not supported"),
        (
            {"model_type": "llama", "rope_scaling": {"type": "dynamic", "factor": 2.0}},
            "rope_type='dynamic' is none of default, linear, llama3, yarn",
        ),
        ({"model_type": "qwen2", "eos_token_id": None}, "no eos_token_id: write the id"),
        ({"model_type": "llama", "hidden_size": "wide"}, "hidden_size.*expected int, got str"),
        ({"model_type": "llama", "num_key_value_heads": 5}, "num_attention_heads=32 is not a mul"),
    ],
)
def test_what_is_not_supported_is_told_in_one_line(tmp_path, settings, message):
    with pytest.raises(ValueError, match=f"config.json: .*{message}") as caught:
        LlmConfig.of(config_file(tmp_path, **settings))
    assert "\n" not in str(caught.value)


def test_what_a_family_does_not_have_is_told():
    with pytest.raises(ValueError, match=r"architecture='bert' is none of llama, mistral, .*take"):
        LlmConfig(architecture="bert")
    with pytest.raises(ValueError, match=r"attention_bias=true is of llama, .* not of mistral"):
        LlmConfig(architecture="mistral", attention_bias=True)
    with pytest.raises(ValueError, match="head_size=3 is odd"):
        LlmConfig(hidden_size=12, num_attention_heads=4)


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        ({"rope_type": "llama3", "factor": 8.0}, "low_freq_factor=None of rope_type=llama3: not a"),
        ({"rope_type": "linear", "factor": "four"}, "factor='four' of rope_type=linear"),
        ({"rope_type": ["yarn"]}, "rope_type=.*yarn.* is none of default, linear"),
        ("linear", "rope_scaling is 'linear', not settings"),
    ],
)
def test_wrong_settings_of_positions_are_told(scaling, message):
    content = config_to_dict(VQAModelConfig())
    content["llm"]["rope_scaling"] = scaling
    with pytest.raises(ValueError, match=f"config.json: .*{message}"):
        config_from_dict(content, "config.json")


def test_what_follows_from_other_sizes_goes_on_to():
    """So that a configuration that changes the others need not name it."""
    written = LlmConfig(num_key_value_heads=32, head_size=128)
    assert written == LlmConfig()
    narrow = dataclasses.replace(written, hidden_size=64, num_attention_heads=4)
    assert (narrow.key_value_heads, narrow.head_width) == (4, 16)
    own = LlmConfig(num_key_value_heads=8, head_size=64)
    assert (own.num_key_value_heads, own.head_size) == (own.key_value_heads, own.head_width)


def test_a_config_of_before_there_were_other_families_is_that_of_vicuna():
    content = config_to_dict(VQAModelConfig())
    for key in ("architecture", "num_key_value_heads", "head_size", "rope_theta", "rope_scaling",
                "attention_bias", "tie_word_embeddings"):  # fmt: skip
        del content["llm"][key]
    assert config_from_dict(content, "config.json") == VQAModelConfig()


def test_an_untied_decoder_is_not_taken_for_a_tied_one():
    folder = tiny_decoders.folder("llama2")
    llm = dataclasses.replace(LlmConfig.of(folder), tie_word_embeddings=True)
    with pytest.raises(ValueError, match="tie_word_embeddings=False, but the model has True"):
        from_parts(
            VQAModelConfig(llm=llm, vision=CLIP), llm=folder, clip=tiny_decoders.clip_folder()
        )
