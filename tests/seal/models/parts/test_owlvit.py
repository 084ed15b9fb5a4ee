"""The detector gives the reference's features, scores and boxes."""

from __future__ import annotations

import pytest
import torch
from golden_files import golden_json, golden_tensors
from golden_models import golden_detector_pixels, golden_vsm, stored_stride

from seal.models.parts.owlvit import OwlViTConfig, box_bias

LARGE = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
    "num_attention_heads": 16, "query_size": 768,
}  # fmt: skip
CLOSE = {"atol": 1e-4, "rtol": 1e-4}
TINY = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
    "query_size": 6,
}


@pytest.mark.parametrize(
    ("own", "grid"),
    [
        ({}, 48),
        ({"family": "owlv2", "image_size": 960}, 60),
        ({"family": "owlv2", "image_size": 1008, "patch_size": 14} | LARGE, 72),
        ({"image_size": 840, "patch_size": 14} | LARGE, 60),
    ],
    ids=str,
)
def test_published_sizes_build_without_memory(own, grid):
    config = OwlViTConfig(**own)
    with torch.device("meta"):
        detector = config.build()
    assert config.grid_size == grid and len(box_bias(grid)) == grid**2
    assert config.fit == ("pad" if config.family == "owlv2" else "stretch")
    positions = detector.vision_model.embeddings.position_embedding.weight
    assert positions.shape == (grid**2 + 1, config.hidden_size)


def test_a_detector_of_no_known_family_is_told():
    with pytest.raises(ValueError, match="family='yolo' is no detector known here; known: owlvit"):
        OwlViTConfig(family="yolo")


@pytest.mark.goldens("vsm_cases")
@torch.no_grad()
def test_features_scores_and_boxes_equal_the_reference():
    t, stored, detector = (
        golden_tensors("vsm_cases"),
        golden_json("vsm_cases"),
        golden_vsm().detector,
    )
    pixels = golden_detector_pixels()
    hidden = detector.vision_model(pixel_values=pixels).last_hidden_state
    kept = t["owl_last_hidden_state"]
    step = stored_stride(hidden.shape[1], kept.shape[1], stored["owl_last_hidden_state"])
    torch.testing.assert_close(hidden[:, ::step], kept, **CLOSE)

    features = detector.encode(pixels)
    assert list(features.shape) == stored["visual_embs"]["full_shape"]
    step = stored_stride(
        features.shape[1], t["visual_embs"].shape[1], stored["visual_embs"]["stored"]
    )
    torch.testing.assert_close(features[:, ::step, ::step], t["visual_embs"], **CLOSE)
    total = features.double().abs().sum().item()
    assert total == pytest.approx(stored["visual_embs"]["abs_sum_f64"], rel=1e-6)
    # Terms cancel: the sum is as exact as the sum of their sizes.
    signed = features.double().sum().item()
    assert signed == pytest.approx(stored["visual_embs"]["sum_f64"], abs=1e-6 * total)

    queries = t["owlvit.prompt"][:, 0]
    one = features[1:2]
    logits = detector.predict_logits(one.expand(len(queries), -1, -1, -1), queries)
    torch.testing.assert_close(logits[..., None], t["owlvit.pred_logits"], **CLOSE)
    boxes = detector.predict_boxes(one)
    torch.testing.assert_close(boxes, t["owlvit.pred_boxes"], atol=1e-5, rtol=1e-5)


@pytest.mark.goldens("vsm_cases")
def test_the_bias_of_the_grid_equals_the_reference():
    bias = box_bias(golden_vsm().detector.config.grid_size)
    torch.testing.assert_close(bias, golden_tensors("vsm_cases")["owlvit.box_bias"], **CLOSE)


def test_an_unmoved_candidate_sits_at_its_cells_lower_right_corner_and_is_a_cell_large():
    grid = 4
    boxes = box_bias(grid).sigmoid().unflatten(0, (grid, grid))
    row, column = 1, 2
    wanted = torch.tensor([(column + 1) / grid, (row + 1) / grid, 1 / grid, 1 / grid])
    torch.testing.assert_close(boxes[row, column], wanted, atol=1e-3, rtol=0)


@torch.no_grad()
def test_a_score_depends_on_the_direction_of_the_query_alone():
    detector = OwlViTConfig(**TINY).build()
    features, queries = torch.randn(2, 4, 4, 16), torch.randn(2, 6)
    scores = detector.predict_logits(features, queries)
    torch.testing.assert_close(
        detector.predict_logits(features, 9 * queries), scores, atol=1e-4, rtol=1e-4
    )
    assert not torch.allclose(detector.predict_logits(features, -queries), scores)


@torch.no_grad()
def test_candidates_are_numbered_row_by_row():
    detector = OwlViTConfig(**TINY).build()
    features = torch.randn(1, 4, 4, 16)
    query = torch.randn(1, 6)
    flipped = detector.predict_logits(features.flip(2), query).unflatten(1, (4, 4))
    straight = detector.predict_logits(features, query).unflatten(1, (4, 4))
    torch.testing.assert_close(flipped.flip(2), straight)


@pytest.mark.parametrize(("wrong", "value"), [("patch_size", 7), ("num_attention_heads", 3)])
def test_sizes_that_cannot_be_are_refused_by_name(wrong, value):
    with pytest.raises(ValueError, match=wrong):
        OwlViTConfig(**TINY | {wrong: value})
