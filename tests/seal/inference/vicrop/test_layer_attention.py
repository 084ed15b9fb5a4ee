"""Attention of single layers beside SDPA: equal to eager, logits untouched, switched back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from seal.inference.vicrop.layer_attention import reading

SIZES: dict[str, Any] = dict(
    vocab_size=97, hidden_size=48, intermediate_size=64, num_hidden_layers=3,
    num_attention_heads=4, max_position_embeddings=128,
)  # fmt: skip


def _models(groups: int) -> list[Any]:
    torch.manual_seed(groups)
    llama = LlamaForCausalLM(LlamaConfig(num_key_value_heads=groups, **SIZES))
    qwen = Qwen2ForCausalLM(Qwen2Config(num_key_value_heads=groups, **SIZES))
    return [model.eval() for model in (llama, qwen)]


def _rows(padding: list[int], length: int = 11) -> dict[str, torch.Tensor]:
    ids = torch.randint(97, (len(padding), length), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    for row, count in enumerate(padding):
        mask[row, :count] = 0
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}


def _eager(model: Any, rows: dict[str, torch.Tensor]) -> Any:
    model.set_attn_implementation("eager")
    with torch.no_grad():
        out = model(**rows, output_attentions=True, use_cache=False)
    model.set_attn_implementation("sdpa")
    return out


@pytest.mark.parametrize("groups", [4, 2, 1], ids=["heads", "grouped", "one-key-head"])
@pytest.mark.parametrize("padding", [[0], [0, 0], [0, 3, 7]], ids=["alone", "batch", "padded"])
def test_weights_equal_eager_and_logits_stay_those_of_sdpa_to_the_bit(groups, padding):
    rows = _rows(padding)
    for model in _models(groups):
        eager = _eager(model, rows)
        layers = [block.self_attn for block in model.model.layers]
        with torch.no_grad():
            plain = model(**rows, use_cache=False).logits
            with reading([model.model], layers[1:]) as attention:
                logits = model(**rows, use_cache=False).logits
        assert torch.equal(logits, plain)
        for layer in (1, 2):
            weights = attention.of(layers[layer])
            assert weights.shape == (len(padding), 4, 1, 11)
            torch.testing.assert_close(
                weights, eager.attentions[layer][:, :, -1:], rtol=0, atol=1e-6
            )
        with pytest.raises(KeyError):
            attention.of(layers[0])


def test_any_queries_of_each_row_can_be_asked_for():
    model, rows = _models(2)[0], _rows([0, 2])
    layer = model.model.layers[1].self_attn
    queries = torch.tensor([[0, 5, 10], [2, 9, 3]])
    with torch.no_grad(), reading([model.model], [layer], queries) as attention:
        model(**rows, use_cache=False)
    every = _eager(model, rows).attentions[1]
    for row in range(2):
        torch.testing.assert_close(
            attention.of(layer)[row], every[row][:, queries[row]], rtol=0, atol=1e-6
        )


def test_a_pass_over_a_cache_sees_the_keys_of_the_cache():
    model, rows = _models(2)[0], _rows([0, 4])
    layer = model.model.layers[2].self_attn
    with torch.no_grad(), reading([model.model], [layer]) as attention:
        ids, mask, positions = rows["input_ids"], rows["attention_mask"], rows["position_ids"]
        begun = model(
            input_ids=ids[:, :8], attention_mask=mask[:, :8], position_ids=positions[:, :8],
            use_cache=True,
        )  # fmt: skip
        model(
            input_ids=ids[:, 8:], attention_mask=mask, position_ids=positions[:, 8:],
            past_key_values=begun.past_key_values,
        )  # fmt: skip
    eager = _eager(model, rows).attentions[2][:, :, -1:]
    torch.testing.assert_close(attention.of(layer), eager, rtol=0, atol=1e-6)


def test_the_gradient_equals_that_of_eager_attention():
    model, rows = _models(2)[0], _rows([0, 3])
    layer = model.model.layers[1].self_attn
    with reading([model.model], [layer], graph=True) as attention:
        objective = model(**rows, use_cache=False).logits[:, -1].log_softmax(-1).amax(-1).sum()
    (gradient,) = torch.autograd.grad(objective, attention.of(layer))
    model.set_attn_implementation("eager")
    out = model(**rows, output_attentions=True, use_cache=False)
    objective = out.logits[:, -1].log_softmax(-1).amax(-1).sum()
    (expected,) = torch.autograd.grad(objective, out.attentions[1])
    seen = rows["attention_mask"].bool()[:, None]  # what padding holds is nobody's business
    torch.testing.assert_close(gradient[:, :, -1] * seen, expected[:, :, -1] * seen)


@pytest.mark.parametrize("before", ["sdpa", "eager"])
def test_a_model_attends_afterwards_as_it_did_before_even_after_an_error(before):
    model, rows = _models(4)[0], _rows([0])
    model.set_attn_implementation(before)
    with (
        pytest.raises(ZeroDivisionError),
        reading([model.model], [model.model.layers[0].self_attn]) as attention,
    ):
        model(**rows)
        assert model.config._attn_implementation != before
        raise ZeroDivisionError
    assert model.config._attn_implementation == model.model.config._attn_implementation == before
    kept = attention.of(model.model.layers[0].self_attn)
    model(**rows)
    assert attention.of(model.model.layers[0].self_attn) is kept  # no longer read


def test_a_pass_may_end_where_the_last_wanted_layer_was_read():
    model, rows = _models(2)[0], _rows([0, 3])
    layers = [block.self_attn for block in model.model.layers]
    ran = []
    handle = model.model.layers[2].register_forward_hook(lambda *_: ran.append(2))
    with torch.no_grad(), reading([model.model], layers[:1]) as whole:
        model(**rows)
    assert ran == [2]
    for _ in range(2):  # also after one that ended early
        with torch.no_grad(), reading([model.model], layers[:1], last=layers[1]) as ended:
            model(**rows)
            raise AssertionError("the pass went on")
        assert ran == [2] and torch.equal(ended.of(layers[0]), whole.of(layers[0]))
    handle.remove()
    assert model.config._attn_implementation == "sdpa"
    assert model(**rows).logits.shape == (2, 11, 97)


def test_a_beginning_that_ended_early_is_read_on_as_one_that_did_not():
    model, rows = _models(2)[0], _rows([0, 4])
    ids, mask, positions = rows["input_ids"], rows["attention_mask"], rows["position_ids"]
    layer = model.model.layers[1].self_attn
    found = []
    for last in (None, layer):
        cache = DynamicCache()
        with torch.no_grad():
            with reading([model.model], [], last=last):
                model(
                    input_ids=ids[:, :8], attention_mask=mask[:, :8],
                    position_ids=positions[:, :8], past_key_values=cache,
                )  # fmt: skip
            with reading([model.model], [layer], last=last) as attention:
                model(
                    input_ids=ids[:, 8:], attention_mask=mask, position_ids=positions[:, 8:],
                    past_key_values=cache,
                )  # fmt: skip
        found.append(attention.of(layer))
    assert torch.equal(*found)
