"""What `--model_args` may say, as lmms-eval parses it."""

from __future__ import annotations

import pytest

from seal.evaluation.harness.arguments import HarnessArguments
from seal.evaluation.shards import Shard
from seal.inference.guides.config import GuideConfig
from seal.pipeline import Seal


def test_pretrained_is_another_name_and_what_lmms_eval_adds_is_taken():
    read = HarnessArguments.read(
        {"pretrained": "a/b", "vsm": 7, "batch_size": "4", "max_batch_size": 64, "offload": 2}
    )
    assert read == HarnessArguments(vqa="a/b", vsm="7", batch_size=4, offload=2)


def test_quotes_that_kept_a_comma_are_taken_off(monkeypatch):
    loaded = {}
    monkeypatch.setattr(
        Seal, "from_pretrained", lambda vqa, vsm, **given: loaded.update(vqa=vqa, **given)
    )
    HarnessArguments.read(
        {
            "vqa": "a/b",
            "guide": '"detect=owlv2,cue=seal"',
            "guide_models": '{"owlv2": "google/owlv2"}',
            "dtype": "bfloat16",
            "max_pixels": 4000,
        }
    ).load(Shard())
    assert loaded["guide"] == GuideConfig(
        detect="owlv2", cue="seal", models={"owlv2": "google/owlv2"}
    )
    assert str(loaded["dtype"]) == "torch.bfloat16"
    assert loaded["chat"].max_pixels == 4000


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "vqa= names the answer model"),
        ({"vqa": "a", "pretrained": "b"}, "another name of vqa="),
        ({"vqa": "a", "serach": "none"}, "serach= is none of vqa, vsm, search"),
        ({"vqa": "a", "batch_size": "auto"}, "batch_size='auto' is no whole number"),
        ({"vqa": "a", "batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"vqa": "a", "max_pixels": 0.5}, "max_pixels=0.5 is no whole number"),
        ({"vqa": "a", "dtype": "half"}, "dtype='half' is none of"),
        ({"vqa": "a", "guide_models": "{}"}, "set guide= too"),
        ({"vqa": "a", "guide": "owlv2", "guide_models": "owlv2"}, "is not JSON"),
        ({"vqa": "a", "guide": "owlv2", "guide_models": "[1]"}, "a JSON object"),
        ({"vqa": "a", "guide": "owl"}, "guide='owl'"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_loaded(given, told):
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        HarnessArguments.read(given)
