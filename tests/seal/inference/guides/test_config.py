"""A guide is chosen by name, whole or part by part; what cannot be is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from seal.inference.guides.config import (
    ANNOTATED,
    GUIDES,
    KINDS,
    PARTS,
    AnnotatedConfig,
    GuideConfig,
    part_for,
    who_gives,
)

CONF = Path(__file__).parents[4] / "conf" / "guide"


def test_the_published_guide_is_seals_own_in_every_part_but_confidence():
    assert GuideConfig().parts == {
        "detect": "seal", "cue": "seal", "heat": "seal", "expert": "seal",
    }  # fmt: skip
    assert GuideConfig() == GuideConfig.named("seal") == GuideConfig.read("detect=seal")


@pytest.mark.parametrize("name", [*GUIDES, ANNOTATED])
def test_a_name_alone_is_the_file_of_that_name(name):
    chosen = yaml.safe_load((CONF / f"{name}.yaml").read_text("utf-8"))
    assert GuideConfig(**chosen) == GuideConfig.named(name) == GuideConfig.read(name)
    assert GuideConfig.named(name).kinds == KINDS[name]


def test_every_file_is_a_guide():
    assert {path.stem for path in CONF.glob("*.yaml")} == {*GUIDES, ANNOTATED}


def test_a_part_that_is_not_named_is_the_detecting_guides_if_it_can_be():
    mixed = GuideConfig.read("detect=owlv2, cue=seal")
    assert mixed.parts == {"detect": "owlv2", "cue": "seal", "heat": "owlv2", "expert": "owlv2"}
    assert mixed.names == ["owlv2", "seal"]
    assert mixed.kinds == {"detect", "contextual_cue", "cue_heatmap", "target_heat"}
    assert GuideConfig.read("detect=ocr,heat=seal").parts == {
        "detect": "ocr", "heat": "seal", "expert": "ocr",
    }  # fmt: skip


def test_what_detects_is_an_expert_only_where_something_else_does():
    assert "expert" not in GuideConfig(detect="owlv2", expert="owlv2").kinds
    assert "expert" in GuideConfig(detect="owlv2", expert="ocr").kinds
    assert GuideConfig(detect=None, expert="owlv2").kinds == {"expert"}


def test_every_kind_of_query_has_one_part():
    assert [part_for(kind) for part in PARTS for kind in PARTS[part]] == [
        part for part in PARTS for _ in PARTS[part]
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("owl2", "guide='owl2': there is no such guide; .* did you mean owlv2?"),
        ("detect=owl2", "guide.detect='owl2': there is no such guide; .* did you mean owlv2?"),
        ("detect=seal,cues=seal", "'cues=seal' sets no part; .* did you mean cue?"),
        ("detect=seal,cue", "'cue' sets no part"),
        ("cue=seal,cue=seal", "cue is set twice"),
        ("detect=seal,cue=owlv2", "owlv2 gives detect, heat; for cue take one of seal"),
        ("", "there is no such guide"),
    ],
)
def test_a_guide_that_cannot_be_is_told_in_a_line(text, said):
    with pytest.raises(ValueError, match=said) as error:
        GuideConfig.read(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({"owl": "x"}, "guide.models.owl: there is no such guide"),
        ({"seal": "x"}, "named by vsm="),
        ({"owlv2": ""}, "guide.models.owlv2='': name a folder or a hub id"),
        ({"owlv2": 3}, "guide.models.owlv2=3: name a folder or a hub id"),
    ],
)
def test_a_model_that_cannot_be_is_told_in_a_line(models, said):
    with pytest.raises(ValueError, match=said):
        GuideConfig(models=models)


def test_no_part_at_all_is_no_guide():
    with pytest.raises(ValueError, match="no part has a guide"):
        GuideConfig(detect=None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seal", "guide.detect=seal needs SEAL's search model: give vsm=FOLDER"),
        ("detect=owlv2,cue=seal", "guide.cue=seal needs SEAL's search model"),
        ("vlm_yes_no", "guide.models.vlm_yes_no= to a folder or hub id .* or give vqa="),
    ],
)
def test_a_part_without_its_model_is_refused_before_anything_is_loaded(text, said):
    config = GuideConfig.read(text, {"owlv2": "anywhere"})
    with pytest.raises(ValueError, match=said):
        config.require_models(answers=False, vsm=False)
    config.require_models(answers=True, vsm=True)


def test_a_detector_is_named_whatever_else_there_is():
    with pytest.raises(ValueError, match=r"guide\.detect=owlv2 needs a model: set guide"):
        GuideConfig.named("owlv2").require_models(answers=True, vsm=True)


def test_known_boxes_guide_only_where_boxes_are_known():
    config = GuideConfig.named(ANNOTATED)
    config.require_models(answers=False, vsm=False, known=True)
    with pytest.raises(ValueError, match=r"guide.detect=annotated sees what a benchmark says"):
        config.require_models(answers=True, vsm=True)
    with pytest.raises(ValueError, match=r"guide.annotated.min_share=2 is not in"):
        AnnotatedConfig(min_share=2)
    assert ANNOTATED not in who_gives("detect")  # nobody is advised to take it
