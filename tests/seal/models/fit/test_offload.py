"""Blocks that stay on the host visit the device in turn, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_models
import torch

from seal.models.files.authors import write_authors
from seal.models.files.load import load_model
from seal.models.files.save import save_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "vsm"
    save_model(path, tiny_models.vsm_model(1), tiny_models.tokenizer().folder)
    return path


@torch.no_grad()
def test_a_model_with_blocks_on_the_host_computes_the_same(folder):
    ids = torch.tensor([[1, 5, 9, 4]])
    whole, partly = load_model(folder), load_model(folder, offload=1)
    assert torch.equal(partly.llm(input_ids=ids).logits, whole.llm(input_ids=ids).logits)
    blocks = partly.llm.model.layers
    # Between passes the weights of an offloaded block are nowhere but on the host.
    assert all(p.is_meta for p in blocks[1].parameters())
    assert not any(p.is_meta for p in blocks[0].parameters())


def test_more_blocks_than_there_are_and_packed_ones_are_refused(folder):
    with pytest.raises(ValueError, match="offload=3: the language model has 2 blocks"):
        load_model(folder, offload=3)
    with pytest.raises(ValueError, match="packed weights stay on the device"):
        load_model(folder, offload=1, quantization="nf4")


def test_blocks_on_the_host_are_not_saved(folder, tmp_path):
    model = load_model(folder, offload=1)
    for save in (save_model, write_authors):
        with pytest.raises(
            ValueError, match=r"offloaded weights cannot be saved .*without offload"
        ):
            save(tmp_path / "out", model, tiny_models.tokenizer().folder)
    assert not list(tmp_path.iterdir())
