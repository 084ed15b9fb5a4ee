"""Detectors of each family, tiny and random: what their own code answers, in batches, in place.

They know nothing, but for an OWL that a linear probe taught to see red.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_detectors import GRID, RED, dino_folder, owl_folder, teach_red
from transformers import AutoModelForZeroShotObjectDetection

from seal.geometry import Box
from seal.inference.build_locator import build_locator
from seal.inference.guides.composed import ComposedGuide
from seal.inference.guides.config import KINDS, GuideConfig
from seal.inference.guides.detector_files import load_detector
from seal.inference.named_guides import load_guide
from seal.miniature.world import make_scene
from seal.search.draw import draw_path
from seal.search.locator import LocateRequest
from seal.search.protocol import Patch, Query
from seal.search.trace import from_dict, to_dict

FAMILIES = {"owlv2": "owlv2", "owlvit": "owlv2", "grounding_dino": "grounding_dino"}
FORMS = FAMILIES | {"mm_grounding_dino": "grounding_dino"}  # the same code but for its weights


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("detectors")
    return {
        "owlv2": owl_folder(place / "owlv2"),
        "owlvit": owl_folder(place / "owlvit", "owlvit"),
        "grounding_dino": dino_folder(place / "grounding_dino"),
        "mm_grounding_dino": dino_folder(place / "mm_grounding_dino", "mm_grounding_dino"),
    }


def loaded(folders, family, **options):
    return load_detector(FORMS[family], str(folders[family]), device="cpu", **options)


@pytest.fixture(scope="module")
def detectors(folders):
    return {family: loaded(folders, family) for family in FORMS}


@pytest.fixture(scope="module")
def seeing(folders):
    """The OWLs that see red."""
    made = {family: loaded(folders, family) for family in ("owlv2", "owlvit")}
    for detector in made.values():
        teach_red(detector)
    return made


def noise(width, height, seed=0):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(90, 150, (height, width, 3), np.uint8))


ASKED = [
    (Box(0, 0, 200, 150), "red mug"),
    (Box(0, 0, 100, 75), "the large blue boat near the table, a sign on it"),  # too long for an OWL
    (Box(50, 0, 90, 140), "cat"),
    (Box(0, 0, 100, 75), "cat"),
    (Box(99.5, 20.2, 133, 51), "Boat."),
]


def queries(kind="detect", image=None):
    image = image or noise(200, 150)
    return [Query(kind, Patch(image, box), text) for box, text in ASKED]


@pytest.mark.parametrize("family", FORMS)
def test_answers_are_those_of_the_familys_own_code(folders, detectors, family):
    """The model as transformers runs it: picture and text in one pass, nothing remembered."""
    own = AutoModelForZeroShotObjectDetection.from_pretrained(folders[family]).eval()
    detector = detectors[family]
    network = detector.network
    is_owl = FORMS[family] == "owlv2"
    for query in queries():
        (found,) = detector.detect([query])
        prompt = network.prompt(query.text.removeprefix("the "))
        padding = {"padding": "max_length", "truncation": True, "max_length": 12} if is_owl else {}
        text = network.tokenizer([prompt], return_tensors="pt", **padding)
        pixels = torch.from_numpy(network.fit.pixels(query.patch.crop()))[None]
        with torch.inference_mode():
            out = own(pixel_values=pixels, input_ids=text["input_ids"],
                      attention_mask=text["attention_mask"])  # fmt: skip
        logits = out.logits[0]  # GroundingDINO's: a start, the words, commas too, a period, an end
        logits = logits if is_owl else logits[:, 1 : text["input_ids"].shape[1] - 2]
        x0, y0, x1, y1 = query.patch.box.as_ints()
        boxes, inside = network.fit.to_patch(out.pred_boxes[0].numpy(), x1 - x0, y1 - y0)
        np.testing.assert_allclose(found.boxes, boxes, atol=1e-3)
        np.testing.assert_allclose(found.scores, logits.amax(-1).sigmoid()[inside], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_batched_answers_equal_those_alone(folders, detectors, family):
    """Texts of several lengths, crops of several shapes, two phrases about one crop."""
    fresh, image = loaded(folders, family, max_batch=3), noise(200, 150)
    together = fresh.detect(queries(image=image))
    heats = fresh.cue_heatmap(queries("cue_heatmap", image))
    assert fresh.cost.crops_encoded == 4  # five questions, one crop twice
    for query, batched, heat in zip(queries(), together, heats, strict=True):
        (alone,) = loaded(folders, family).detect([query])
        np.testing.assert_allclose(batched.scores, alone.scores, atol=1e-5)
        np.testing.assert_allclose(batched.boxes, alone.boxes, atol=1e-3)
        np.testing.assert_allclose(batched.heat.grid, alone.heat.grid, atol=1e-4)
        np.testing.assert_array_equal(heat.grid, batched.heat.grid)
        assert ((batched.scores >= 0) & (batched.scores <= 1)).all()
        width, height = (np.diff(query.patch.box.as_ints()[i::2])[0] for i in (0, 1))
        assert (batched.boxes >= 0).all() and (batched.boxes <= [width, height] * 2).all()
        assert batched.heat.to_numpy().shape == (height, width)


@pytest.mark.parametrize("family", FORMS)
def test_half_precision_moves_the_best_score_by_less_than_a_tenth(folders, detectors, family):
    exact = detectors[family].detect(queries())
    rough = loaded(folders, family, dtype=torch.bfloat16).detect(queries())
    for one, other in zip(exact, rough, strict=True):
        assert other.scores.dtype == np.float32
        assert other.scores.max() == pytest.approx(one.scores.max(), abs=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_another_phrase_is_another_answer_from_the_same_crop(detectors, family):
    whole = Patch(noise(200, 150, seed=5), Box(0, 0, 200, 150))
    before = detectors[family].cost.crops_encoded
    one, other = detectors[family].detect([Query("detect", whole, t) for t in ("cat", "red boat")])
    assert np.abs(one.scores - other.scores).max() > 1e-4
    assert detectors[family].cost.crops_encoded == before + 1


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((300, 150), (200, 40, 250, 90)),
        ((150, 300), (40, 220, 90, 270)),
        ((97, 97), (50, 10, 75, 40)),
        ((301, 97), (245, 5, 300, 50)),
        ((640, 480), (40, 300, 150, 420)),
    ],
)
@pytest.mark.parametrize("family", ["owlv2", "owlvit"])
def test_a_red_box_is_found_where_it_was_drawn(seeing, family, size, box):
    """To a cell of the grid: on landscape, portrait and odd sizes, in a crop as on the whole."""
    picture = noise(*size)
    picture.paste(RED, box)
    larger = Image.new("RGB", (size[0] + 70, size[1] + 30), (120, 120, 120))
    larger.paste(picture, (70, 30))
    patches = [Patch(picture, Box(0, 0, *size)), Patch(larger, Box(70, 30, *larger.size))]
    across, down = np.array(seeing[family].network.fit.frame(*size)) / GRID
    for found in seeing[family].detect([Query("detect", patch, "mug") for patch in patches]):
        x0, y0, x1, y1 = found.boxes[found.scores.argmax()]
        # A candidate stands at the lower right corner of its cell.
        x, y = (x0 + x1) / 2 - across / 2, (y0 + y1) / 2 - down / 2
        assert box[0] - across < x < box[2] + across and box[1] - down < y < box[3] + down
        (share,) = found.heat.shares([Box(*box)])
        area = (box[2] - box[0]) * (box[3] - box[1]) / (size[0] * size[1])
        assert share > 5 * area


@pytest.mark.parametrize("family", FAMILIES)
def test_a_detector_drives_a_whole_search_of_a_scene(folders, family):
    """Guided by its own heat: every region in turn, a trace that comes back, and a picture."""
    named = {FAMILIES[family]: str(folders[family])}
    guide = load_guide(GuideConfig.named(FAMILIES[family], named), device="cpu")
    scene = make_scene(1, 0, (512, 384))
    config = guide.search_config()
    config.min_size, config.min_size_scale = 192, 16
    config.confidence_high = 1.0  # random numbers are sure of anything
    request = LocateRequest(scene.render(), str(scene.objects[0].kind))
    (result,) = build_locator("guided", guide, config).locate([request])
    assert len(result.path) == 1 + 4 and set(result.calls) == {"detect"}
    assert {node.cue_kind for node in result.path} == {"target", None}
    assert result.guide == guide.settings()
    assert result.guide["models"][FAMILIES[family]]["model"] == str(folders[family])
    trace = json.loads(json.dumps(to_dict(result, heat_cells=24)))
    assert from_dict(trace).guide == result.guide
    sheet = np.asarray(draw_path(request.image, from_dict(trace)))
    plain = np.asarray(draw_path(request.image, from_dict(to_dict(result))))
    assert sheet.shape == plain.shape and (sheet != plain).any()  # the heat is drawn


@pytest.mark.parametrize("family", ["owlv2", "owlvit"])
def test_a_search_goes_where_the_detector_sees_red_and_finds_it(seeing, family):
    guide = ComposedGuide(seeing[family], heat=seeing[family])
    picture = noise(640, 480)
    picture.paste(RED, (500, 330, 560, 390))
    config = guide.search_config()
    config.min_size, config.min_size_scale, config.confidence_high = 60, 16, 0.5
    (result,) = build_locator("guided", guide, config).locate([LocateRequest(picture, "mug")])
    assert result.found and result.boxes[0].iou(Box(500, 330, 560, 390)) > 0
    assert [node.depth for node in result.path] == [1, 2, 3]  # straight down, of 85 regions
    assert result.path[1].box == Box(320, 240, 640, 480)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_answers_what_it_says_and_nothing_is_kept_of_a_forgotten_image(detectors, family):
    detector = detectors[family]
    assert detector.kinds == KINDS[detector.name]
    assert all(hasattr(detector, kind) for kind in detector.kinds)
    image = noise(60, 50, seed=9)
    before = detector._crops.num_bytes
    detector.target_heat([Query("target_heat", Patch(image, Box(0, 0, 60, 50)), "cat")])
    assert detector._crops.num_bytes > before
    detector.forget(image)
    assert detector._crops.num_bytes == before


@pytest.mark.parametrize("family", FORMS)
def test_what_is_too_long_to_be_read_is_told_as_it_was_read(detectors, family):
    """Otherwise an answer to half a phrase looks like one to the whole."""
    detector, whole = detectors[family], Patch(noise(200, 150), Box(0, 0, 200, 150))
    long = " ".join(["red boat"] * 200)
    short, cut = detector.detect([Query("detect", whole, text) for text in ("red boat", long)])
    assert short.said is None
    start = f"too long for {detector.name}, which read: "
    assert cut.said.startswith(start)
    read = cut.said.removeprefix(start).removeprefix("a photo of a ")
    assert 0 < len(read) < len(long) and long.startswith(read)
    if FORMS[family] == "owlv2":  # to the other the period that ends a phrase is one word more
        (again,) = detector.detect([Query("detect", whole, read)])
        assert again.said is None
        np.testing.assert_allclose(again.scores, cut.scores, atol=1e-6)


def test_prompts_are_as_the_families_learned_them(detectors):
    assert detectors["owlvit"].network.prompt("red mug") == "a photo of a red mug"
    dino = detectors["grounding_dino"].network
    assert dino.prompt("Red  U.S. flag?") == "red u s flag."


@pytest.mark.parametrize(
    ("guide", "family", "said"),
    [
        ("owlv2", "grounding_dino", "a grounding-dino model, .* use it as guide.models.grounding_"),
        ("grounding_dino", "owlvit", "a owlvit model, .* use it as guide.models.owlv2="),
    ],
)
def test_a_model_of_the_other_family_is_told_apart(folders, guide, family, said):
    with pytest.raises(ValueError, match=said) as error:
        load_detector(guide, str(folders[family]), device="cpu")
    assert "\n" not in str(error.value)


def test_damaged_folders_are_told_in_a_line(folders, tmp_path):
    with pytest.raises(ValueError, match="no such model folder"):
        load_detector("owlv2", str(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="is no model folder of Hugging Face"):
        load_detector("owlv2", str(tmp_path / "empty"))
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folders["owlv2"].iterdir():
        if path.suffix != ".safetensors":
            (copy / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=r"must be whole and in \*\.safetensors files"):
        load_detector("owlv2", str(copy), device="cpu")
    weights = folders["owlv2"] / "model.safetensors"
    (copy / "model.safetensors").write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match="its weights cannot be read"):
        load_detector("owlv2", str(copy), device="cpu")
    (copy / "model.safetensors").write_bytes(weights.read_bytes())
    (copy / "tokenizer.json").unlink()
    (copy / "tokenizer_config.json").unlink()
    with pytest.raises(ValueError, match="holds no tokenizer"):
        load_detector("owlv2", str(copy), device="cpu")


@pytest.mark.parametrize(("family", "mark"), [("owlv2", "<end>"), ("grounding_dino", ".")])
def test_a_tokenizer_of_another_model_is_refused(folders, tmp_path, family, mark):
    copy = shutil.copytree(folders[family], tmp_path / "copy")
    content = json.loads((copy / "tokenizer.json").read_text())
    words = content["model"]["vocab"]
    other = next(word for word, i in words.items() if i in (5, 202))
    words[mark], words[other] = words[other], words[mark]
    for added in content["added_tokens"]:
        if added["content"] == mark:
            added["id"] = words[mark]
    (copy / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="not the tokenizer this model was trained with"):
        load_detector(family, str(copy), device="cpu")


def test_numbers_that_are_not_finite_are_told(folders):
    detector = loaded(folders, "owlvit")
    with torch.no_grad():
        detector.network.model.class_head.dense0.weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="numbers that are not finite"):
        detector.detect(queries()[:1])
