"""Whole runs of the original on tiny models: maps, boxes, second pass and answers.

Everything that these tests compare with is read from the files: another set has other sizes.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from golden_files import counted, golden_arrays, golden_json, golden_path
from PIL import Image

from seal.inference.answers.hf import HFAnswerModel
from seal.inference.hf.encode import Encoded, collate, encode_row, user
from seal.inference.hf.load import load_hf
from seal.inference.hf.run import continue_greedily, read
from seal.inference.vicrop.config import ViCropConfig
from seal.inference.vicrop.instructblip_reader import InstructBlipReader
from seal.inference.vicrop.layer_attention import reading
from seal.inference.vicrop.locator import ViCropLocator
from seal.inference.vicrop.maps import make_maps
from seal.inference.vicrop.reader import Look
from seal.inference.vicrop.released import SHORT_ANSWER, released_form, rounded_picture
from seal.inference.vicrop.windows import choose_window
from seal.search.locator import LocateRequest

NEW_TOKENS = 20
ANSWER_MARGIN = 1e-3  # least gap between the two best logits for an answer to be compared
BOX_NOISE = 1e-3  # a box that lesser noise on the map may change is compared on the stored map


@cache
def _model(name: str) -> HFAnswerModel:
    cases = golden_json(f"vicrop/{name}_cases")
    options: dict[str, Any] = {"chat_template": released_form(name).template}
    if "longest_edge" in cases:
        options |= {"max_pixels": cases["longest_edge"], "min_pixels": cases["shortest_edge"]}
    hf = load_hf(golden_path(f"vicrop/{name}/config.json").parent, device="cpu", **options)
    return HFAnswerModel(hf, layout="bare")


def _cases(name: str, *methods: str) -> list[dict[str, Any]]:
    cases = golden_json(f"vicrop/{name}_cases")["cases"]
    chosen = [case for case in cases if case.get("method", "rel_att") in methods]
    # Where the original fails without tiles, it fails behind the map: at its own answer's text.
    return [case for case in chosen if "raises" not in case or "_high" in case["id"]]


def _config(name: str, case: dict[str, Any], **changes: Any) -> ViCropConfig:
    method = case.get("method", "rel_att")
    config = ViCropConfig.named("as_released", method=method.removesuffix("_high"))
    config.high_resolution = "on" if method.endswith("_high") else "off"
    config.layer = golden_json(f"vicrop/{name}_cases")["layer"]
    config.base_window = case.get("base")
    for key, value in changes.items():
        setattr(config, key, value)
    return config


def _image(case: dict[str, Any]) -> Image.Image:
    return Image.open(golden_path(f"vicrop/{case['file']}")).convert("RGB")


def _locator(name: str, case: dict[str, Any]) -> ViCropLocator:
    locator = ViCropLocator(_model(name), _config(name, case))
    if name == "blip":
        cases = golden_json("vicrop/blip_cases")
        locator.reader = InstructBlipReader(
            _model("blip").hf,
            _model("blip").cost,
            cross_layer=cases["qformer_index"],
            placeholders_kept=case["variant"] == "expanded",
        )
    return locator


def _look(case: dict[str, Any]) -> Look:
    return Look(_image(case), case.get("short_question") or case["question"])


def _near(found: Any, expected: np.ndarray, *, of_maximum: float | None = None) -> None:
    """Within 1e-4 of each value, or of the largest."""
    largest = float(np.abs(expected[np.isfinite(expected)]).max(initial=0))
    atol = 0.0 if of_maximum is None else of_maximum * largest
    rtol = 1e-4 if of_maximum is None else 0.0
    np.testing.assert_allclose(np.asarray(found), expected, rtol=rtol, atol=atol)


def _check_map_and_box(name: str, case: dict[str, Any]) -> None:
    stored = golden_arrays(f"vicrop/{name}_cases")[f"{case['id']}_map"]
    locator, look = _locator(name, case), _look(case)
    # Where another token may be the likeliest, its gradient is another.
    sure = case.get("method") == "rel_att" or case.get("argmax_margin", 1) > ANSWER_MARGIN
    if sure and not any(case.get("near_median", [0])):
        if "_high" not in case["id"]:
            (made,) = make_maps(locator.reader, [look], locator.config)
            of_maximum = {"grad_att": 1e-3, "pure_grad": 1e-4}.get(case.get("method", ""))
            _near(made.values, stored, of_maximum=of_maximum)
            assert list(made.values.shape) == case["grid"]
        if case["stable_to"] >= BOX_NOISE:
            (result,) = locator.locate([LocateRequest(look.image, "", look.question)])
            assert _edges(result.boxes[0]) == case["box"]
            assert result.config["grid"] == case["grid"]
            return
    window = choose_window(stored, look.image.size, case["base"], guards=False)
    assert _edges(window.box) == case["box"]


def _edges(box: Any) -> list[float]:
    return [box.x0, box.y0, box.x1, box.y1]


def _prompt(name: str, case: dict[str, Any], *, crop: bool) -> Encoded:
    """What the model is asked, with the crop beside the whole image or without."""
    form, image = released_form(_model(name).hf.model_type), _image(case)
    pictures = [image, image.crop([int(edge) for edge in case["box"]])] if crop else [image]
    if form.picture is not None:
        pictures = [form.picture(picture) for picture in pictures]
    items: list[dict[str, Any]] = [{"type": "image", "image": picture} for picture in pictures]
    text = case["question"] + form.behind
    hf = _model(name).hf
    return collate(hf, [encode_row(hf, user([*items, {"type": "text", "text": text}]))])


def _expanded(ids: list[Any]) -> list[int]:
    """Token ids, some of them written as [id, how often]."""
    runs = [each if isinstance(each, list) else [each, 1] for each in ids]
    return [token for token, times in runs for _ in range(times)]


@torch.no_grad()
def _check_answers(name: str, case: dict[str, Any]) -> None:
    """Ids, logits and answers of both passes."""
    hf, arrays = _model(name).hf, golden_arrays(f"vicrop/{name}_cases")
    for crop, ids, logits_key, said in (
        (False, case.get("map_prompt_ids") or case.get("prompt_ids"), "logits", "answer_ids"),
        (True, case.get("second_ids"), "logits2", "crop_answer_ids"),
    ):
        if not crop and not case.get("method", "rel_att").startswith("rel_att"):
            continue  # the same question without a crop, whatever the method
        encoded = _prompt(name, case, crop=crop)
        whole = "short_question" not in case or crop  # the map of that one is of another prompt
        plain = case.get("variant") == "plain"  # features in front, without placeholders
        if ids is not None and whole and not plain:
            assert encoded.rows[0].tokens["input_ids"].tolist() == _expanded(ids)
        prefix, logits = read(hf, encoded)
        key = f"{case['id']}_{logits_key}"
        if key in arrays and whole and (name != "blip" or plain):
            np.testing.assert_allclose(logits[0].numpy(), arrays[key], rtol=0, atol=1e-4)
        if case["answer_margins"][int(crop)] > ANSWER_MARGIN:
            (written,) = continue_greedily(hf, prefix, logits, NEW_TOKENS)
            assert written == case[said]


@pytest.mark.goldens("vicrop_llava")
@pytest.mark.parametrize("method", ["rel_att", "grad_att", "pure_grad"])
def test_vicrop_maps_and_boxes_of_llava_equal_the_original(method):
    for case in counted(_cases("llava", method)):
        _check_map_and_box("llava", case)


@pytest.mark.goldens("vicrop_llava")
@pytest.mark.parametrize("method", ["rel_att_high", "grad_att_high", "pure_grad_high"])
def test_vicrop_high_resolution_of_llava_equals_the_original(method):
    for case in counted(_cases("llava", method)):
        if "raises" in case:
            with pytest.raises(ValueError, match="too narrow"):
                _locator("llava", case).locate([LocateRequest(_image(case), "", case["question"])])
            continue
        _check_map_and_box("llava", case)


@pytest.mark.goldens("vicrop_llava")
def test_vicrop_factors_of_llava_equal_the_original():
    arrays, layer = golden_arrays("vicrop/llava_cases"), golden_json("vicrop/llava_cases")["layer"]
    for case in counted(_cases("llava", "rel_att")):
        (factors,) = _locator("llava", case).reader.relative([_look(case)], layer=layer)
        _near(factors.question, arrays[f"{case['id']}_q"])
        _near(factors.general, arrays[f"{case['id']}_g"])
    for case in counted(_cases("llava", "pure_grad")):
        if f"{case['id']}_gq" in arrays:
            (pixels,) = _locator("llava", case).reader.pixels([_look(case)])
            _near(pixels.question, arrays[f"{case['id']}_gq"], of_maximum=1e-4)
            _near(pixels.general, arrays[f"{case['id']}_gg"], of_maximum=1e-4)


@pytest.mark.goldens("vicrop_llava")
def test_vicrop_gradients_of_each_head_of_llava_equal_the_original():
    cases, arrays = golden_json("vicrop/llava_cases"), golden_arrays("vicrop/llava_cases")
    hf = _model("llava").hf
    decoder = hf.model.get_decoder()
    layer = decoder.layers[cases["layer"]].self_attn
    for case in counted(_cases("llava", "grad_att")):
        encoded = _prompt("llava", case, crop=False)
        with reading([decoder], [layer], graph=True) as attention:
            logits = hf.model(**encoded.inputs, use_cache=False).logits[0, -1]
            (gradient,) = torch.autograd.grad(logits.log_softmax(-1).max(), attention.of(layer))
        seen = encoded.inputs["input_ids"][0] == hf.image_token_id
        of_heads = arrays[f"{case['id']}_att"]
        _near(attention.of(layer)[0, :, -1, seen].detach().reshape(of_heads.shape), of_heads)
        _near(
            gradient[0, :, -1, seen].reshape(of_heads.shape),
            arrays[f"{case['id']}_grad"],
            of_maximum=1e-3,
        )


@pytest.mark.goldens("vicrop_llava")
def test_vicrop_passes_and_answers_of_llava_equal_the_original():
    arrays = golden_arrays("vicrop/llava_cases")
    for case in counted(_cases("llava", "rel_att", "grad_att", "pure_grad", "rel_att_high")):
        if "raises" in case:
            continue
        _check_answers("llava", case)
        if f"{case['id']}_pixels2_sub" in arrays:
            pixels = _prompt("llava", case, crop=True).inputs["pixel_values"][:, :, ::3, ::3]
            expected = arrays[f"{case['id']}_pixels2_sub"]
            np.testing.assert_allclose(pixels.numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.goldens("vicrop_qwen")
def test_vicrop_maps_and_boxes_of_qwen_equal_the_original():
    arrays, layer = golden_arrays("vicrop/qwen_cases"), golden_json("vicrop/qwen_cases")["layer"]
    for case in counted(_cases("qwen", "rel_att")):
        (factors,) = _locator("qwen", case).reader.relative([_look(case)], layer=layer)
        _near(factors.question, arrays[f"{case['id']}_q"])
        _near(factors.general, arrays[f"{case['id']}_g"])
        _check_map_and_box("qwen", case)


@pytest.mark.goldens("vicrop_qwen")
def test_vicrop_inputs_and_answers_of_qwen_equal_the_original():
    arrays = golden_arrays("vicrop/qwen_cases")
    for case in counted(_cases("qwen", "rel_att")):
        _check_answers("qwen", case)
        one, two = (_prompt("qwen", case, crop=crop) for crop in (False, True))
        assert one.inputs["image_grid_thw"].tolist() == case["image_grid_thw"]
        assert two.inputs["image_grid_thw"].tolist() == case["second_grid_thw"]
        pixels = one.inputs["pixel_values"]
        # Summed over some hundred thousand values, each of them rounded once.
        assert float(pixels.double().sum()) == pytest.approx(case["pixel_sum"], rel=1e-5)
        if f"{case['id']}_pixels_sub" in arrays:
            expected = arrays[f"{case['id']}_pixels_sub"]
            np.testing.assert_allclose(pixels[::61].numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.goldens("vicrop_blip")
@pytest.mark.parametrize("method", ["rel_att", "grad_att", "pure_grad"])
def test_vicrop_maps_and_boxes_of_instructblip_equal_the_original(method):
    arrays, layer = golden_arrays("vicrop/blip_cases"), golden_json("vicrop/blip_cases")["layer"]
    for case in counted(_cases("blip", method)):
        _check_map_and_box("blip", case)
        reader = _locator("blip", case).reader
        if f"{case['id']}_q_lm" in arrays:
            assert isinstance(reader, InstructBlipReader)
            seen, heeded = reader.factors(_look(case), layer=layer)
            for i, key in enumerate("qg"):
                _near(seen[i], arrays[f"{case['id']}_{key}_qformer"])
                _near(heeded[i], arrays[f"{case['id']}_{key}_lm"])
        if f"{case['id']}_gq" in arrays:
            (pixels,) = reader.pixels([_look(case)])
            _near(pixels.question, arrays[f"{case['id']}_gq"], of_maximum=1e-4)
            _near(pixels.general, arrays[f"{case['id']}_gg"], of_maximum=1e-4)


@pytest.mark.goldens("vicrop_blip")
def test_vicrop_inputs_and_answers_of_instructblip_equal_the_original():
    for case in counted(_cases("blip", "rel_att", "grad_att", "pure_grad")):
        _check_answers("blip", case)
        two = _prompt("blip", case, crop=True)
        assert list(two.inputs["pixel_values"].shape) == case["second_pixels"]
        read_by_qformer = two.inputs["qformer_input_ids"]
        assert [row.tolist() for row in read_by_qformer] == [case["qformer_ids"]] * 2


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 480), (644, 476)), ((14, 20), (56, 84)), ((42, 42), (56, 56)), ((9, 1000), (28, 1008))],
)
def test_a_picture_is_rounded_to_whole_tokens(size, expected):
    assert rounded_picture(Image.new("RGB", size)).size == expected


def test_a_picture_that_is_all_length_is_refused():
    with pytest.raises(ValueError, match="too narrow"):
        rounded_picture(Image.new("RGB", (4, 1000)))


def test_the_short_answer_is_asked_for_as_the_method_defines():
    assert released_form("llava").behind == released_form("qwen2_5_vl").behind == SHORT_ANSWER
    assert released_form("llava_next").behind == ""
