"""One rule covers each of the authors' keys, and the result is our model key for key."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from seal.models.files.checkpoint_table import (
    TOWER_NAMES,
    VQA_NAMES,
    VSM_NAMES,
    rename,
    rename_back,
)
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig

PUBLISHED = Path(
    os.environ.get("SEAL_PUBLISHED", Path(__file__).resolve().parents[5] / "shared" / "published")
)
needs_published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason=f"no list of released tensors in {PUBLISHED}; set SEAL_PUBLISHED"
)


@needs_published
@pytest.mark.parametrize(
    ("name", "names", "config", "has_tower"),
    [
        ("seal_vqa_7b", VQA_NAMES, VQAModelConfig(), True),
        ("seal_vsm_7b", VSM_NAMES, VSMModelConfig(), False),
    ],
)
def test_the_default_model_is_the_released_one_tensor_by_tensor(name, names, config, has_tower):
    released = json.loads((PUBLISHED / f"{name}.json").read_text())
    with torch.device("meta"):
        model = config.build()
    expected = {key: list(tensor.shape) for key, tensor in model.state_dict().items()}
    if not has_tower:  # CLIP is fetched apart, and comes under the tower's one rule
        expected = {k: v for k, v in expected.items() if not k.startswith("vision_tower.")}
    renamed = rename(released, names)
    assert {ours: released[theirs] for theirs, ours in renamed.items()} == expected


@pytest.mark.parametrize("names", [VQA_NAMES, VSM_NAMES])
def test_no_rule_is_a_prefix_of_another(names):
    for rules in ([*names, *TOWER_NAMES], [*names.values(), *TOWER_NAMES.values()]):
        assert [a for a in rules for b in rules if a != b and a.startswith(b)] == []


@pytest.mark.parametrize("names", [VQA_NAMES, VSM_NAMES])
def test_renaming_back_is_the_inverse(names):
    keys = [prefix + "weight" for prefix in [*names, *TOWER_NAMES]]
    ours = rename(keys, names)
    assert rename_back(ours.values(), names) == {value: key for key, value in ours.items()}


def test_a_key_without_a_rule_is_an_error_that_names_it():
    keys = [prefix + "weight" for prefix in VQA_NAMES]
    with pytest.raises(ValueError, match=r"model\.owlvit\.weight"):
        rename([*keys, "model.owlvit.weight"], VQA_NAMES)


def test_a_rule_without_a_key_is_an_error_that_names_it():
    keys = [prefix + "weight" for prefix in VQA_NAMES]
    with pytest.raises(ValueError, match=r"model\.owlvit\."):
        rename(keys[:-1], VSM_NAMES)


def test_recomputed_buffers_are_dropped():
    keys = [prefix + "weight" for prefix in VQA_NAMES]
    extra = "model.layers.0.self_attn.rotary_emb.inv_freq"
    assert extra not in rename([*keys, extra], VQA_NAMES)
