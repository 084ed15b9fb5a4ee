"""Every model that a guide names is loaded once, and none that it does not."""

from __future__ import annotations

import pytest
from fakes import FakeChatModel
from PIL import Image
from tiny_detectors import owl_folder

from seal.geometry import Box
from seal.inference import named_guides
from seal.inference.guides.config import GuideConfig
from seal.inference.guides.detector import Detector
from seal.inference.named_guides import load_guide
from seal.pipeline import Seal
from seal.search.config import SearchConfig
from seal.search.protocol import Patch, Query


@pytest.fixture
def read(monkeypatch):
    """What was loaded as an answer model: name and options."""
    loaded = []

    def load_named(vqa, vsm, **options):
        assert vsm is None
        loaded.append((vqa, options))
        return FakeChatModel({}, {}), None

    monkeypatch.setattr(named_guides, "load_named", load_named)
    return loaded


def test_one_model_that_two_guides_ask_is_loaded_once(read):
    config = GuideConfig.read(
        "detect=vlm_boxes,confidence=vlm_yes_no", {"vlm_boxes": "a/b", "vlm_yes_no": "a/b"}
    )
    guide = load_guide(config, answer_model=FakeChatModel({}, {}), quantization="int8")
    assert [(name, options["quantization"]) for name, options in read] == [("a/b", "int8")]
    assert set(guide.parts) == {"detect", "cue", "heat", "confidence", "expert"}
    assert guide.parts["heat"] is guide.parts["detect"] is not guide.parts["confidence"]


def test_a_guide_asks_the_answer_model_unless_another_is_named(read):
    answers = FakeChatModel({"": 0.5}, {"": "[]"})  # that there is nothing, whatever is asked
    query = Query("detect", Patch(Image.new("RGB", (90, 60)), Box(0, 0, 90, 60)), "mug")
    guide = load_guide(GuideConfig.named("vlm_boxes"), answer_model=answers)
    guide.parts["detect"].detect([query])
    assert read == [] and answers.cost.calls > 0
    load_guide(GuideConfig.named("vlm_boxes", {"vlm_boxes": "a/b"}), answer_model=answers)
    assert [name for name, _ in read] == ["a/b"]


def test_a_server_is_not_told_how_to_load_its_model(read):
    config = GuideConfig.named("vlm_yes_no", {"vlm_yes_no": "http://127.0.0.1:1/v1#m"})
    load_guide(config, device="cpu", quantization="nf4")
    assert [set(options) for _, options in read] == [{"tell"}]


def test_a_detector_that_serves_two_parts_is_one_object_and_the_search_model_another(
    read, tmp_path
):
    told, own = [], object()
    config = GuideConfig.read("detect=owlv2,cue=seal", {"owlv2": str(owl_folder(tmp_path))})
    guide = load_guide(config, vsm=own, device="cpu", tell=told.append)
    assert isinstance(guide.parts["detect"], Detector)
    assert guide.parts["heat"] is guide.parts["expert"] is guide.parts["detect"]
    assert guide.parts["cue"] is own and read == []
    assert len(told) == 1 and told[0].startswith("owlv2 (owlv2): ") and "GiB" in told[0]


def test_seal_takes_a_guide_by_name_by_parts_or_as_a_config(tmp_path):
    folder = str(owl_folder(tmp_path / "owl"))
    config = GuideConfig.named("owlv2", {"owlv2": folder})
    seal = Seal.from_pretrained(None, guide=config, device="cpu")
    assert seal.answer_model is None
    assert seal.locator.model.settings()["parts"] == config.parts
    for wrong, says in (
        ({"detect": "owlv2"}, "guide= takes a name, parts as in"),
        ("owlv2", r"guide\.detect=owlv2 needs a model"),
        ("detect=owlv2,cue=seal", r"guide\.detect=owlv2 needs a model"),
        ("detect=seal,confidence=vlm_yes_no", r"guide\.detect=seal needs SEAL's search model"),
        (None, "needs a search model: give vsm=FOLDER, name another guide="),
    ):
        with pytest.raises(ValueError, match=says) as error:
            Seal.from_pretrained(None, guide=wrong, device="cpu")
        assert "\n" not in str(error.value)


def test_what_the_search_config_asks_of_the_guide_is_checked_before_anything_is_loaded():
    guide = GuideConfig.named("owlv2", {"owlv2": "none/here/at/all"})
    with pytest.raises(ValueError, match=r"asks its guide for contextual_cue, .*guide\.cue="):
        Seal.from_pretrained(None, guide=guide, search_config=SearchConfig(), device="cpu")
    config = SearchConfig(use_contextual_cue=False)
    with pytest.raises(ValueError, match="no such model folder"):
        Seal.from_pretrained(None, guide=guide, search_config=config, device="cpu")
