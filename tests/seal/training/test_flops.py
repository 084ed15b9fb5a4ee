from __future__ import annotations

import pytest
import torch
from mixed_batches import LEVELED, MixedSamples
from plain_batches import plain_batch
from torch.utils.flop_counter import FlopCounterMode

from seal.batch import Batch, Row, Sample
from seal.data.collate import collate
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModelConfig
from seal.training.flops import count_flops


def text_batch(rows: int, length: int) -> Batch:
    """Rows of text, all supervised."""
    ids = torch.ones(rows, length, dtype=torch.int64)
    return plain_batch(ids)


@pytest.fixture(scope="module")
def vicuna():
    with torch.device("meta"):
        model = VQAModelConfig().build()
    model.set_trainable("instruct")
    return model


@pytest.mark.parametrize(("length", "teraflops"), [(700, 453), (2048, 1354)])
def test_a_7b_step_needs_what_the_closed_form_says(vicuna, length, teraflops):
    """The towers' share, 2 to 3 of them, is not in a batch of text."""
    found = count_flops(vicuna)(text_batch(16, length)) / 1e12
    assert teraflops - 4 < found < teraflops


def test_a_frozen_model_and_unlearnt_rows_need_less(vicuna):
    whole = count_flops(vicuna)(text_batch(2, 100))
    unlearnt = text_batch(2, 100)
    unlearnt.label_ids = unlearnt.label_ids[:2]
    assert count_flops(vicuna)(unlearnt) < whole
    vicuna.set_trainable("align_linear")
    frozen = count_flops(vicuna)(text_batch(2, 100))
    vicuna.set_trainable("instruct")
    assert frozen == pytest.approx(whole * 2 / 3, rel=0.01)


@pytest.mark.parametrize("name", LEVELED)
def test_a_step_at_levels_needs_what_torch_counts(name):
    """No gradient goes through the language model where a router alone is trained."""
    torch.manual_seed(0)
    build, criterion = LEVELED[name]
    model, losses = build().eval(), criterion()
    samples = MixedSamples(name)
    batch = collate([samples[index] for index in (3, 5, 8)], pad_id=0, pack=True)
    with FlopCounterMode(display=False) as counter:
        parts = losses(batch, model(batch))
        sum(parts[part] for part in losses.weights(batch)).backward()
    assert counter.get_total_flops() == pytest.approx(count_flops(model)(batch), rel=0.25)


def test_packing_changes_no_operation_count(vicuna):
    rows = [Row(torch.ones(n, dtype=torch.int64), torch.ones(n, dtype=torch.int64)) for n in (9, 5)]
    samples = [Sample(str(number), (row,)) for number, row in enumerate(rows)]
    padded, packed = (collate(samples, pad_id=0, pack=pack) for pack in (False, True))
    assert packed.input_ids.shape == (1, 16)
    assert count_flops(vicuna)(packed) == count_flops(vicuna)(padded)


def test_a_layer_of_the_tower_that_is_not_run_costs_nothing(vicuna):
    image = text_batch(1, 1)
    image.pixel_values = torch.zeros(1, 3, 0, 0)
    needed = count_flops(vicuna)(image)
    vicuna.config.vision.feature_layer = -1
    try:
        with_all = count_flops(vicuna)(image)
    finally:
        vicuna.config.vision.feature_layer = -2
    tokens, hidden = 257, 1024
    layer = 2 * tokens * 12 * hidden**2 + 4 * hidden * tokens**2
    assert with_all - needed == pytest.approx(layer)


@pytest.mark.parametrize(
    ("own", "tokens"),
    [
        ({"family": "siglip", "image_size": 230}, 256),
        ({"family": "dinov2", "pretrained_size": 518}, 257),
        ({"family": "dinov2", "pretrained_size": 518, "num_registers": 4}, 261),
    ],
    ids=str,
)
def test_towers_cost_their_layers_over_their_tokens(own, tokens):
    with torch.device("meta"):
        model = VQAModelConfig(vision=VisionConfig(**own)).build()
    model.set_trainable("instruct")
    image = text_batch(1, 1)
    image.pixel_values = torch.zeros(1, 3, 0, 0)
    needed = count_flops(model)(image) - count_flops(model)(text_batch(1, 1))
    hidden = 1024
    layers = 23 * (2 * tokens * 12 * hidden**2 + 4 * hidden * tokens**2)
    projectors = (model.image_projector, model.object_projector)
    matrices = [m for p in projectors for m in p.modules() if isinstance(m, torch.nn.Linear)]
    assert needed == pytest.approx(layers + 6 * 256 * sum(m.weight.numel() for m in matrices))


def test_attention_costs_what_its_heads_cost_and_a_tied_head_as_any():
    """Squares are of queries times keys, 4 x 32 = 128 wide, whatever the 64 between blocks."""
    sizes = dict(
        architecture="qwen3", vocab_size=100, hidden_size=64, intermediate_size=96,
        num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_size=32,
    )  # fmt: skip

    def needed(length: int, **more: bool) -> float:
        with torch.device("meta"):
            model = VQAModelConfig(llm=LlmConfig(**sizes, **more)).build()
        model.set_trainable("instruct")
        return count_flops(model)(text_batch(1, length))

    a_token = 3 * (64 * 32 * (4 + 2 + 2) + 128 * 64 + 3 * 64 * 96) + 64 * 100
    towers = needed(10) - 6 * a_token * 10 - 6 * 3 * 128 * 10**2
    assert needed(50) == pytest.approx(6 * a_token * 50 + 6 * 3 * 128 * 50**2 + towers)
    assert needed(50, tie_word_embeddings=True) == needed(50)
