from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from tiny_pairs import PAIRS, SIDE, pair_folder

from seal.geometry import Box
from seal.images import pad_to_square
from seal.inference.guides.config import KINDS, GuideConfig
from seal.inference.guides.retrieval import RetrievalConfig, TileRetriever, load_retriever
from seal.inference.named_guides import load_guide
from seal.search.config import SearchConfig
from seal.search.draw import draw_path
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.protocol import Patch, Query, answered_kinds
from seal.search.trace import from_dict, to_dict

TARGET = "the red boat"


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Colors that change from place to place, so that tiles differ."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)


def query(image: Image.Image, box: Box | None = None, text: str = TARGET) -> Query:
    return Query("detect", Patch(image, box or Box(0, 0, *image.size)), text)


def plain_score(family: str, crop: Image.Image, target: str = "red boat") -> float:
    """One tile by the model's own forward pass over the pair."""
    folder = pair_folder(family)
    model = hf.AutoModel.from_pretrained(folder)
    words = hf.AutoTokenizer.from_pretrained(folder)(
        [f"a photo of {target}", "a photo"], padding="max_length", max_length=24,
        return_tensors="pt",
    )  # fmt: skip
    if family != "clip":
        words.pop("attention_mask")
    words.pop("token_type_ids", None)
    kind = {"clip": hf.CLIPImageProcessorPil, "siglip": hf.SiglipImageProcessorPil}
    pixels = kind.get(family, hf.Siglip2ImageProcessorPil).from_pretrained(folder)(
        pad_to_square(crop)[0], return_tensors="pt"
    )
    with torch.no_grad():
        told = model(**words, **pixels).logits_per_image[0]
    return float(told.softmax(0)[0] if family == "clip" else told.sigmoid()[0])


@pytest.fixture(params=PAIRS)
def family(request) -> str:
    return request.param


@pytest.fixture
def guide(family) -> TileRetriever:
    return load_retriever(pair_folder(family), device="cpu")


@pytest.mark.parametrize("size", [(90, 70), (51, 86)])
def test_boxes_and_scores_are_those_of_each_tile_by_itself(family, size):
    image = picture(*size)
    every = RetrievalConfig(keep=0.0, nms_iou=1.0, max_boxes=1000)
    guide = load_retriever(pair_folder(family), config=every, device="cpu")
    (found,) = guide.detect([query(image)])
    assert len(found.boxes) == guide.cost.crops_encoded >= 9
    for box, score in list(zip(found.boxes.tolist(), found.scores, strict=True))[::3]:
        assert box[2] - box[0] == box[3] - box[1] == SIDE
        assert score == pytest.approx(plain_score(family, image.crop(box)), abs=1e-5)
    assert (np.diff(found.scores) <= 0).all()


def test_boxes_are_in_pixels_of_the_patch(guide):
    image = picture(120, 80)
    patch = Box(30.5, 16.2, 101.7, 78.9)
    (found,) = guide.detect([query(image, patch)])
    x0, y0, x1, y1 = patch.as_ints()
    assert len(found.boxes) >= 1
    for box, score in zip(found.boxes, found.scores, strict=True):
        assert (box >= 0).all() and box[2] <= x1 - x0 and box[3] <= y1 - y0
        place = Box(*(box + np.array([x0, y0, x0, y0])).tolist())
        own = [tile for tile in guide._tiles(*image.size) if tile == place]
        assert len(own) == 1 and 0 < score < 1


def test_a_patch_smaller_than_a_tile_is_scored_itself(family, guide):
    image = picture(120, 80)
    patch = Box(31, 17, 49, 42)
    (found,) = guide.detect([query(image, patch)])
    np.testing.assert_array_equal(found.boxes, [[0, 0, 18, 25]])
    assert found.scores[0] == pytest.approx(
        plain_score(family, image.crop(patch.as_ints())), abs=1e-5
    )


def test_batched_answers_are_those_alone(family):
    images = [picture(90, 70), picture(50, 80, seed=1), picture(64, 64, seed=2)]
    asked = [query(image, text=text) for image in images for text in (TARGET, "a mug")]
    asked += [query(images[0], Box(10, 10, 60, 50)), query(images[1], Box(3, 3, 20, 21))]
    together = load_retriever(pair_folder(family), device="cpu", max_batch=7).detect(asked)
    for each, one in zip(together, asked, strict=True):
        alone = load_retriever(pair_folder(family), device="cpu", max_batch=1).detect([one])[0]
        np.testing.assert_array_equal(each.boxes, alone.boxes)
        np.testing.assert_allclose(each.scores, alone.scores, atol=1e-5)
        np.testing.assert_allclose(each.heat.to_numpy(), alone.heat.to_numpy(), atol=1e-5)


def test_tiles_are_embedded_once_per_image(guide):
    image = picture(90, 70)
    guide.target_heat([query(image), query(image, Box(0, 0, 45, 35)), query(image, text="a mug")])
    tiles = guide.cost.crops_encoded
    guide.cue_heatmap([query(image, text="the left side"), query(image)])
    guide.detect([query(image)])
    assert guide.cost.crops_encoded == tiles == len(guide._tiles(*image.size))
    assert guide.cost.texts_encoded == 4  # and the neutral one
    assert guide.cost.queries == {"target_heat": 3, "cue_heatmap": 2, "detect": 1}
    guide.forget(image)
    guide.detect([query(image)])
    assert guide.cost.crops_encoded == 2 * tiles


def test_what_does_not_fit_is_embedded_again_and_answered_the_same(family, guide):
    small = load_retriever(pair_folder(family), device="cpu", cache_mb=0)
    image = picture(60, 60)
    for _ in range(2):
        (ours,), (theirs,) = (each.target_heat([query(image)]) for each in (small, guide))
        np.testing.assert_array_equal(ours.to_numpy(), theirs.to_numpy())
    assert small.cost.crops_encoded == 2 * guide.cost.crops_encoded


def test_heat_is_strongest_where_the_tiles_match_best(guide):
    image = picture(90, 70)
    (found,) = guide.detect([query(image)])
    heat = found.heat.to_numpy()
    assert heat.shape == (70, 90)
    assert found.heat.peak() == pytest.approx(heat.max()) and heat.max() <= found.scores[0] + 1e-6
    x0, y0, x1, y1 = map(int, found.boxes[0])
    assert heat[y0:y1, x0:x1].mean() > heat.mean()
    box = Box(*found.boxes[0].tolist())
    share = found.heat.shares([box])[0]
    assert share > box.area / (90 * 70)


def test_it_guides_a_whole_search_with_trace_and_picture(guide, tmp_path):
    image = picture(200, 120)
    config = SearchConfig(min_size=24, confidence_high=0.999, use_contextual_cue=False)
    search = GuidedSearch(config)
    assert search.needs <= answered_kinds(guide)
    (result,) = run_searches([search.explore(image, TARGET)], guide)
    assert len(result.path) > 5 and result.path[0].box == Box(0, 0, 200, 120)
    shares = [node.score for node in result.path[1:]]
    assert all(0 <= share <= 1 for share in shares) and len(set(shares)) > 1
    again = from_dict(to_dict(result, heat_cells=8))
    assert [node.box for node in again.path] == [node.box for node in result.path]
    draw_path(image, result).save(tmp_path / "path.png")
    assert (tmp_path / "path.png").stat().st_size > 1000


def test_it_is_a_guide_by_name(family, guide):
    config = GuideConfig.named("retrieval", {"retrieval": str(pair_folder(family))})
    by_name = load_guide(config, device="cpu")
    assert by_name.kinds == guide.kinds == KINDS["retrieval"]
    image = picture(64, 48)
    (ours,), (theirs,) = (each.detect([query(image)]) for each in (by_name, guide))
    np.testing.assert_array_equal(ours.boxes, theirs.boxes)
    assert by_name.settings()["models"]["retrieval"] == guide.settings()


def test_what_it_says_of_itself(family, guide):
    said = guide.settings()
    assert said["model"] == str(pair_folder(family)) and said["tile_size"] == SIDE
    assert said["scores"] == ("against 'a photo'" if family == "clip" else "sigmoid")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"overlap": 0.95}, r"overlap=0.95 is not in \[0, 0.9\]"),
        ({"most_tiles": 0}, "most_tiles=0 is not at least 1"),
        ({"prompt": "a photo"}, "prompt='a photo' needs one {} where the target goes"),
        ({"keep": math.nan}, r"keep=nan is not in \[0, 1\]"),
        ({"tile_size": 0}, "tile_size=0 is no number of pixels"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        RetrievalConfig(**change)


def test_a_model_of_another_kind_is_refused(tmp_path):
    hf.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"is a bert model, which matches no pictures with texts"):
        load_retriever(tmp_path)


def test_pickled_weights_are_refused(tmp_path):
    for file in pair_folder("clip").iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"holds no safetensors weights; pickled ones"):
        load_retriever(tmp_path, device="cpu")


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nowhere: neither a model folder here nor"):
        load_retriever(tmp_path / "nowhere")
