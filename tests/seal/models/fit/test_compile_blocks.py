"""Compiled blocks compute the same, and one compilation serves blocks and lengths."""

from __future__ import annotations

import pytest
import torch
from fitted_models import deep_model, gradients, mixed_batch
from mixed_batches import MODELS
from torch._dynamo.utils import counters

from seal.models.fit.compile_blocks import compile_blocks, require_compiler
from seal.models.fit.recompute import recompute_blocks


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize(
    ("name", "every"),
    [
        ("vqa", 2),
        *(
            pytest.param(name, every, marks=pytest.mark.slow)
            for name, every in [("vqa", 0), ("vqa", 1), ("vsm", 0), ("vsm", 1), ("vsm", 2)]
        ),
    ],
)
def test_gradients_of_captured_blocks_are_the_same_at_every_length(name, every):
    """`eager` runs what was captured: that nothing was left out or fixed, not how fast it is.

    The search model has LoRA, whose dropout is on.
    """
    plain, model = deep_model(name), deep_model(name)
    if every:
        recompute_blocks(model, every)
    compile_blocks(model, "eager")
    graphs = []
    for first in (4, 5, 6):
        batch = mixed_batch(name, first)
        expected, found = gradients(plain, name, batch), gradients(model, name, batch)
        assert found.keys() == expected.keys()
        for key, gradient in expected.items():
            torch.testing.assert_close(found[key], gradient, atol=1e-6, rtol=1e-5, msg=key)
        graphs.append(counters["stats"]["unique_graphs"])
    assert not counters["graph_break"]
    # Four blocks, kept and recomputed, with and without an input that needs a gradient.
    assert 0 < graphs[0] <= 3 and graphs[-1] == graphs[0]


def test_weights_keep_their_names():
    model = deep_model("vqa")
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
    for first in (4, 5):
        batch = mixed_batch(name, first)
        expected, found = gradients(plain, name, batch), gradients(model, name, batch)
        for key, gradient in expected.items():
            torch.testing.assert_close(found[key], gradient, atol=1e-5, rtol=1e-5, msg=key)
    assert not counters["graph_break"]
