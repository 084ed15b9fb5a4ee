"""What is chosen of guides that ask a language model reaches them; what cannot be is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
import tiny_families
import tiny_models
from fakes import generation
from seeing_model import SeeingModel

from seal.geometry import Box
from seal.inference.answers.hf import HFAnswerModel
from seal.inference.guides.asked_config import (
    AskedConfigs,
    BoxesConfig,
    ValuesConfig,
    YesNoConfig,
)
from seal.inference.guides.config import ASK_A_VLM, KINDS, GuideConfig
from seal.inference.guides.value_proposals import ProposalConfig
from seal.inference.named_guides import load_guide
from seal.search.protocol import Patch, Query


@pytest.fixture(scope="module")
def llava():
    return HFAnswerModel.from_pretrained(tiny_families.folder("llava"), device="cpu")


@pytest.mark.parametrize("name", ASK_A_VLM)
def test_a_guide_is_built_and_answers_what_its_table_says(name, llava):
    guide = AskedConfigs().build(name, llava)
    assert guide.name == name and guide.kinds >= KINDS[name]
    assert all(hasattr(guide, kind) for kind in guide.kinds - {"target_heat"})
    assert guide.settings()["model"]["model_type"] == "llava"


def test_what_is_chosen_reaches_the_guide(llava):
    ask = AskedConfigs(
        yes_no=YesNoConfig(show="both"),
        boxes=BoxesConfig(form="json", coordinates="pixels", scores="fixed", max_boxes=3),
        values=ValuesConfig(layers=[0, 1], sigma=2.0, proposals=ProposalConfig(regions=2)),
    )
    assert ask.build("vlm_yes_no", llava).settings()["show"] == "both"
    boxes = ask.build("vlm_boxes", llava).settings()
    assert (boxes["coordinates"], boxes["scores"], boxes["max_boxes"]) == ("pixels", "fixed", 3)
    values = ask.build("value_similarity", llava).settings()
    assert values["layers"] == [0, 1] and values["sigma"] == 2.0
    assert values["proposals"]["regions"] == 2
    assert ask.of("vlm_boxes")["form"] == "json"


@pytest.mark.parametrize("name", ASK_A_VLM)
def test_each_tells_of_answers_that_mean_little(name, llava, monkeypatch):
    monkeypatch.setattr(llava, "next_word", lambda requests: [[9.0, 9.0] for _ in requests])
    printed = generation("[[0.1, 0.1, 0.5, 0.5]]")
    monkeypatch.setattr(llava, "generate", lambda asked, **_: [printed] * len(asked))
    told: list[str] = []
    guide = AskedConfigs().build(name, llava, told.append)
    image = tiny_models.noise(90, 60)
    guide.detect([Query("detect", Patch(image, Box(0, 0, 90, 60)), "mug")])
    (line,) = told
    assert "with a probability of 0.00025 at most" in line


def test_all_three_are_loaded_by_name_and_ask_one_model(llava):
    config = GuideConfig.read("detect=vlm_boxes,heat=value_similarity,confidence=vlm_yes_no")
    guide = load_guide(config, answer_model=llava)
    assert {part: model.name for part, model in guide.parts.items()} == config.parts
    assert guide.kinds == config.kinds


def test_a_server_that_shows_no_values_is_refused_before_it_is_asked():
    config = GuideConfig.named("value_similarity", {"value_similarity": "http://nowhere:1/v1#m"})
    with pytest.raises(ValueError, match="value_similarity reads a model's own values"):
        load_guide(config, answer_model=SeeingModel())


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (YesNoConfig, {"show": "all"}, "guide.ask.yes_no.show='all' is none of patch, both"),
        (YesNoConfig, {"asking": "it"}, "guide.ask.yes_no.asking='it' is none of yes_no, refusal"),
        (BoxesConfig, {"form": "yolo"}, "form='yolo' is none of qwen2_vl"),
        (BoxesConfig, {"form": "internvl", "order": "yxyx"}, "form=internvl says itself"),
        (BoxesConfig, {"order": "yxyx"}, "guide.ask.boxes.form=json mean: set that too"),
        (ValuesConfig, {"layers": [1]}, r"guide.ask.values.layers=\[1\]: give two"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(kind, options, said):
    with pytest.raises(ValueError, match=said) as error:
        kind(**options)
    assert "\n" not in str(error.value)


def test_a_configuration_needs_no_network_library():
    """Commands read it before they know whether anything is to be loaded."""
    code = "import sys, seal.inference.guides.config; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
