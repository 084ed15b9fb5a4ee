"""Compiled blocks compute the same, and one compilation serves blocks, lengths and documents."""

from __future__ import annotations

import pytest
import torch
from fitted_models import deep_model, gradients
from mixed_batches import MODELS, MixedSamples
from torch._dynamo.utils import counters

from seal.batch import Batch
from seal.data.collate import collate
from seal.models.fit.compile_blocks import compile_blocks, require_compiler
from seal.models.fit.recompute import recompute_blocks

SHOWN = [(4, 7), (5, 8), (6, 9, 1), (0, 3)]  # samples of a batch


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def batches(name: str, *, pack: bool) -> list[Batch]:
    samples = MixedSamples(name)
    return [collate([samples[i] for i in shown], pad_id=0, pack=pack) for shown in SHOWN]


@pytest.mark.parametrize(
    ("name", "pack", "every"),
    [
        ("vqa", True, 2),
        ("vsm", True, 2),
        *(
            pytest.param(name, pack, every, marks=pytest.mark.slow)
            for name, pack, every in [
                ("vqa", True, 0), ("vqa", False, 1), ("vsm", True, 1), ("vsm", False, 2),
            ]
        ),
    ],
)  # fmt: skip
def test_gradients_of_captured_blocks_are_the_same_and_later_batches_capture_nothing(
    name, pack, every
):
    """`eager` runs what was captured: that nothing was left out or fixed, not how fast it is.

    The search model has LoRA, whose dropout is on, and rows that are trees.
    """
    plain, model = deep_model(name), deep_model(name)
    if every:
        recompute_blocks(model, every)
    compile_blocks(model, "eager")
    graphs = []
    for batch in batches(name, pack=pack):
        expected, found = gradients(plain, name, batch), gradients(model, name, batch)
        assert found.keys() == expected.keys()
        for key, gradient in expected.items():
            torch.testing.assert_close(found[key], gradient, atol=1e-6, rtol=1e-5, msg=key)
        graphs.append(counters["stats"]["unique_graphs"])
    # A block is at least what stands before attention and what stands behind it: 8 if each of the
    # four blocks had its own.
    assert all("_Apart.attend" in reason for reason in counters["graph_break"])
    assert graphs[0] < 2 * 4
    # Padded rows: with and without a mask.
    assert graphs[-1] == graphs[0] if pack else graphs[-1] <= graphs[0] + 2


def test_weights_keep_their_names():
    model = deep_model("vsm")
    names = list(model.state_dict())
    compile_blocks(model, "eager")
    assert list(model.state_dict()) == names


def test_a_machine_without_a_compiler_is_told_before_the_first_step(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"train\.compile=true needs a C\+\+ compiler"):
        compile_blocks(deep_model("vqa"))


def has_compiler() -> bool:
    try:
        require_compiler()
    except ValueError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(not has_compiler(), reason="the default backend needs a C++ compiler")
@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_compiled_blocks_agree_with_plain_ones(name):
    plain, model = deep_model(name), deep_model(name)
    recompute_blocks(model, 2)
    compile_blocks(model)
    for batch in batches(name, pack=True):
        expected, found = gradients(plain, name, batch), gradients(model, name, batch)
        for key, gradient in expected.items():
            torch.testing.assert_close(found[key], gradient, atol=1e-5, rtol=1e-5, msg=key)
