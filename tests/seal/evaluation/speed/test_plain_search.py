"""Asked by generation, a model answers as it does through our engine, and does more for it."""

from __future__ import annotations

import pytest
import tiny_models

from seal.evaluation.speed.plain_search import PlainSearch
from seal.evaluation.speed.work_meter import WorkMeter
from seal.geometry import Box
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.vsm import VSM
from seal.search.protocol import Patch, Query
from seal.text.conversation import continuation_ids
from seal.text.prompts import LOCATE_ANSWER


@pytest.fixture(scope="module")
def model() -> VSM:
    return tiny_models.vsm_model().eval()


def _patch() -> Patch:
    image = tiny_models.noise(160, 120)
    return Patch(image, Box(0, 0, 80, 60))


@pytest.mark.parametrize("reuse", [False, True])
def test_detections_and_heat_are_those_of_our_engine(model: VSM, reuse: bool) -> None:
    tokenizer = tiny_models.tokenizer()
    plain = PlainSearch(model, tokenizer, reuse=reuse, says_locate=True)
    ours = NetworkSearchModel(model, tokenizer)
    query = Query("detect", _patch(), "red mug")
    (found,), (known,) = plain.detect([query]), ours.detect([query])
    assert abs(found.boxes - known.boxes).max() < 1e-3
    assert abs(found.scores - known.scores).max() < 1e-5
    (heat,) = ours.target_heat([Query("target_heat", query.patch, "red mug")])
    assert found.heat is not None
    assert found.heat.peak() == pytest.approx(heat.peak(), abs=1e-4)
    regions = [Box(0, 0, 40, 30), Box(40, 30, 80, 60)]
    assert found.heat.shares(regions) == pytest.approx(heat.shares(regions), abs=1e-4)


@pytest.mark.parametrize("reuse", [False, True])
def test_cue_answers_are_those_of_our_engine_that_decodes_all_of_them(
    model: VSM, reuse: bool
) -> None:
    tokenizer = tiny_models.tokenizer()
    plain = PlainSearch(model, tokenizer, reuse=reuse)
    ours = NetworkSearchModel(model, tokenizer, cue_prefix="free")
    plain.max_cue_tokens = ours.max_cue_tokens = 12
    query = Query("contextual_cue", _patch(), "red mug")
    assert plain.contextual_cue([query]) == ours.contextual_cue([query])


def test_the_original_reads_the_picture_in_every_step_and_the_plain_path_once(model: VSM) -> None:
    tokenizer = tiny_models.tokenizer()
    query = Query("detect", _patch(), "red mug")
    steps = None
    work = {}
    for reuse in (False, True):
        plain = PlainSearch(model, tokenizer, reuse=reuse, says_locate=True)
        steps = len(continuation_ids(tokenizer, plain.template, LOCATE_ANSWER))
        with WorkMeter(model) as counted:
            plain.detect([query])
            plain.detect([query])
        work[reuse] = counted.work
    assert steps is not None
    original, kept = work[False], work[True]
    assert original.llm_passes == kept.llm_passes == 2 * steps
    assert original.vision_pictures == 2 * steps and kept.vision_pictures == 1
    assert original.detector_pictures == 2 and kept.detector_pictures == 1
    # The last step has said all but the end.
    prompt = (kept.llm_tokens - 2 * (steps - 1)) // 2
    assert original.llm_tokens == 2 * sum(prompt + said for said in range(steps))
    assert original.head_rows == original.llm_tokens  # logits of every position
    assert kept.head_rows == kept.llm_passes  # of the last one


def test_a_growing_cache_is_copied_in_each_step(model: VSM) -> None:
    plain = PlainSearch(model, tiny_models.tokenizer(), reuse=True, says_locate=True)
    with WorkMeter(model) as counted:
        plain.detect([Query("detect", _patch(), "red mug")])
    steps = counted.work.llm_passes
    prompt = counted.work.llm_tokens - (steps - 1)
    llm = model.config.llm
    position = 2 * 4 * llm.num_hidden_layers * llm.key_value_heads * llm.head_width
    assert plain.cost.bytes_copied == position * sum(prompt + said for said in range(steps))


def test_what_is_forgotten_is_encoded_again(model: VSM) -> None:
    plain = PlainSearch(model, tiny_models.tokenizer(), reuse=True, says_locate=True)
    patch = _patch()
    with WorkMeter(model) as counted:
        plain.detect([Query("detect", patch, "red mug")])
        plain.forget(patch.image)
        plain.detect([Query("detect", patch, "red mug")])
    assert counted.work.vision_pictures == 2


def test_a_detector_that_pads_is_refused() -> None:
    model = tiny_models.vsm_model()
    model.config.detector = OwlViTConfig(family="owlv2")
    with pytest.raises(ValueError, match="'owlv2' pads its pictures"):
        PlainSearch(model, tiny_models.tokenizer(), reuse=True)
