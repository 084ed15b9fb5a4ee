"""The cue decoder gives the reference's masks."""

from __future__ import annotations

import pytest
import torch
from golden_files import golden_tensors
from golden_models import golden_detector_pixels, golden_vsm, stored_stride

from seal.models.parts.cue_decoder import CueDecoderConfig

CLOSE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.mark.goldens("vsm_cases")
@torch.no_grad()
@pytest.mark.parametrize("name", ["single", "multi"])
def test_masks_and_their_quality_equal_the_reference(name):
    t, model = golden_tensors("vsm_cases"), golden_vsm()
    head, grid = model.mask_head, model.detector.config.grid_size
    small, prompt = t["maskdec.image_embeddings_small"].float(), t["maskdec.sparse"]
    repeat = grid // small.shape[-1]
    image = small.repeat_interleave(repeat, -1).repeat_interleave(repeat, -2)
    masks, quality = head.mask_decoder(
        image.expand(len(prompt), -1, -1, -1),
        head.prompt_encoder.dense_pe(grid),
        prompt,
        head.prompt_encoder.no_mask_embed.weight[:, :, None, None],
        multimask=name == "multi",
    )
    wanted = t[f"maskdec.{name}.masks"]
    step = stored_stride(masks.shape[-1], wanted.shape[-1])
    torch.testing.assert_close(masks[..., ::step, ::step], wanted, **CLOSE)
    torch.testing.assert_close(quality, t[f"maskdec.{name}.iou"], **CLOSE)


@pytest.mark.goldens("vsm_cases")
@torch.no_grad()
def test_position_code_and_projected_features_equal_the_reference():
    t, model = golden_tensors("vsm_cases"), golden_vsm()
    code = model.mask_head.prompt_encoder.dense_pe(model.detector.config.grid_size)
    wanted = t["maskdec.dense_pe_sub"]
    step = stored_stride(code.shape[-1], wanted.shape[-1])
    torch.testing.assert_close(code[..., ::step, ::step], wanted, **CLOSE)
    features = model.encode_detector(golden_detector_pixels()[:1])
    projected = model.mask_head.feature_projection(features)
    wanted = t["visual_projection"]
    step = stored_stride(projected.shape[1], wanted.shape[1])
    torch.testing.assert_close(projected[:, ::step, ::step], wanted, **CLOSE)
    row = model.mask_head.prompt_encoder.no_mask_embed.weight
    torch.testing.assert_close(row.expand_as(t["maskdec.dense_row"]), t["maskdec.dense_row"])


@torch.no_grad()
def test_logits_come_at_four_times_the_grid_one_map_a_query():
    decoder = CueDecoderConfig(hidden_size=16, num_heads=2, mlp_size=24).build(feature_size=12)
    features, queries = torch.randn(3, 5, 5, 12), torch.randn(3, 16)
    masks = decoder(features, queries)
    assert masks.shape == (3, 20, 20)
    alone = torch.cat([decoder(features[i : i + 1], queries[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(masks, alone)
    assert not torch.allclose(decoder(features, -queries), masks)


def test_sizes_that_cannot_be_are_refused_by_name():
    with pytest.raises(ValueError, match="num_heads"):
        CueDecoderConfig(hidden_size=16, num_heads=3)
