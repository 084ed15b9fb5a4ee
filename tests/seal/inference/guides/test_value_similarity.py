"""Maps of values equal a naive computation by layers, in a batch and alone; they guide a search."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import tiny_families
import tiny_models
import torch
from scipy.ndimage import gaussian_filter
from seeing_model import SeeingModel

from seal.geometry import Box
from seal.inference.answers.hf import HFAnswerModel
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.guides.config import GuideConfig
from seal.inference.guides.value_maps import relevance, target_span
from seal.inference.guides.value_proposals import ProposalConfig, propose
from seal.inference.guides.value_similarity import QUESTION, ValueSimilarity
from seal.inference.guides.value_source import check_values
from seal.inference.hf.encode import encode, user
from seal.inference.hf.image_tokens import token_grids
from seal.inference.named_guides import check_read
from seal.search.config import SearchConfig
from seal.search.draw import draw_path
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.protocol import Patch, Query, answered_kinds
from seal.search.trace import from_dict, to_dict
from seal.search.tree import split
from seal.working_memory import VisualWorkingMemory

FAMILIES = ("llava", "qwen2_5_vl", "llava_next", "llava_onevision", "qwen3_vl", "internvl")
WIDE, TALL, SQUARE = (
    tiny_models.noise(150, 90), tiny_models.noise(80, 130, seed=1), tiny_models.noise(56, 56)
)  # fmt: skip


@cache
def answers(family):
    name = tiny_families.folder(family)
    return HFAnswerModel.from_pretrained(name, device="cpu", layout="bare", max_batch=2)


def query(image, text, box=None, kind="target_heat"):
    return Query(kind, Patch(image, box or Box(0, 0, *image.size)), text)


QUERIES = [
    query(WIDE, "red boat"),
    query(TALL, "the mug"),
    query(WIDE, "blue water"),
    query(WIDE, "mug", Box(10, 5, 130, 85)),
    query(SQUARE, "left of a mug"),
]


def naive(values, image, target):
    """The formula in loops: values (layers, heads, T, size) as numpy."""
    shares = np.zeros((len(target), len(image)))
    for layer in values:
        unit = layer / np.linalg.norm(layer, axis=-1, keepdims=True)
        for row, t in enumerate(target):
            alike = np.array(
                [
                    max(float((unit[:, t] * unit[:, j]).sum(-1).mean()), 0)
                    for j in range(layer.shape[1])
                ]
            )
            shares[row] += alike[image] / (alike.sum() + 1)
    shares = np.maximum(shares / np.maximum(shares.sum(1, keepdims=True), 1e-30), 0.01 / len(image))
    together = np.exp(np.log(shares).mean(0))
    return together / together.mean()


def hooked(family, picture, text):
    """What v_proj gives in one plain pass over the whole prompt, layer by layer; the row's ids."""
    hf = answers(family).hf
    items = [{"type": "image", "image": picture}, {"type": "text", "text": QUESTION.format(text)}]
    encoded = encode(hf, [user(items)])
    kept = []
    blocks = hf.model.get_decoder().layers
    hooks = [
        block.self_attn.v_proj.register_forward_hook(lambda m, i, out: kept.append(out[0]))
        for block in blocks
    ]
    with torch.no_grad():
        hf.model(**encoded.inputs, use_cache=False)
    for hook in hooks:
        hook.remove()
    size = blocks[0].self_attn.head_dim
    values = [v.view(len(v), -1, size).transpose(0, 1).numpy() for v in kept]
    return values, encoded


def places(family, encoded, text):
    """Where the text's tokens stand, by spelling the tokens behind the image."""
    hf = answers(family).hf
    ids = encoded.inputs["input_ids"][0].tolist()
    behind = len(ids) - ids[::-1].index(hf.image_token_id)
    spelt = [hf.tokenizer.decode([i]) for i in ids[behind:]]
    for first in range(len(spelt)):
        for last in range(first + 1, len(spelt) + 1):
            if "".join(spelt[first:last]) == f" {text}":
                return list(range(behind + first, behind + last))
    raise AssertionError(spelt)


@pytest.mark.parametrize("family", FAMILIES)
def test_maps_equal_those_from_hooks_on_the_value_projections(family):
    guide = ValueSimilarity(answers(family), sigma=0, layers=(0, 2))
    flat = 0.0
    for one, grid in zip(QUERIES, guide._maps(QUERIES), strict=True):
        text = one.text.removeprefix("the ")
        picture, moved = guide._source._shown(guide._asking.picture(one.patch))
        values, encoded = hooked(family, picture, text)
        (grids,) = token_grids(answers(family).hf, encoded, 0)
        finest = max(grids, key=lambda each: each.positions.size)
        expected = naive(values, finest.positions.flatten(), places(family, encoded, text))
        placed = guide._placed(
            expected.reshape(finest.positions.shape),
            finest.box.shift(*moved),
            one.patch.crop().size,
        )
        np.testing.assert_allclose(grid, placed, atol=1e-4)
        flat = max(flat, grid.std())
    assert flat > 0.02  # values of random weights tell some tokens from others


@pytest.mark.parametrize("family", FAMILIES)
def test_maps_of_a_batch_equal_those_alone(family):
    guide = ValueSimilarity(answers(family))
    together = guide._maps(QUERIES)
    for one, grid in zip(QUERIES, together, strict=True):
        (alone,) = guide._maps([one])
        np.testing.assert_allclose(grid / grid.sum(), alone / alone.sum(), atol=1e-5)


def test_only_the_chosen_layers_are_read():
    first, second, both = (
        ValueSimilarity(answers("llava"), sigma=0, layers=layers)._maps(QUERIES[:1])[0]
        for layers in ((0, 1), (1, 2), (0, 2))
    )
    assert np.abs(first - second).max() > 0.01 and np.abs(first - both).max() > 0.001
    assert ValueSimilarity(answers("llava")).layers == (1, 2)  # the last half


def test_questions_about_one_patch_share_its_pass():
    model = answers("llava")
    guide = ValueSimilarity(model)
    before = model.cost.images
    guide.target_heat([query(WIDE, "mug"), query(WIDE, "boat"), query(TALL, "mug")])
    assert model.cost.images - before == 2
    assert guide.cost.queries == {"target_heat": 3} and guide.cost.asked.images == 2


def test_what_is_padded_lies_outside_of_the_map():
    guide = ValueSimilarity(answers("llava"), sigma=0)
    (grid,) = guide._maps([query(WIDE, "mug")])  # shown in a square of 150
    rows, columns = grid.shape
    assert columns == 4 and rows == 2  # of 4 x 4 tokens, over 90 of 150 pixels


def test_a_map_is_smoothed_over_its_tokens():
    plain, smooth = (
        ValueSimilarity(answers("qwen2_5_vl"), sigma=sigma)._maps([query(WIDE, "mug")])[0]
        for sigma in (0, 1.0)
    )
    np.testing.assert_allclose(smooth, gaussian_filter(plain, 1.0, mode="nearest"), atol=1e-6)


def test_grouped_heads_and_other_tokens_are_weighed_as_told():
    torch.manual_seed(0)
    values = [torch.randn(3, 9, 5) for _ in range(2)]
    others = torch.tensor([True] * 7 + [False] * 2)
    found = relevance(values, torch.tensor([0, 1, 2, 3]), torch.tensor([5, 6]), others)
    expected = naive([v[:, :7].numpy() for v in values], np.arange(4), [5, 6])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_word_that_is_like_nothing_rules_nothing_out():
    values = [torch.tensor([[[1.0, 0], [1.0, 0], [-1.0, 0]]])]
    found = relevance(values, torch.tensor([0, 1]), torch.tensor([2]), torch.ones(3) > 0)
    assert found.tolist() == [1, 1]
    values = [torch.tensor([[[1.0, 0], [0, 1.0], [-1.0, 0], [1.0, 0.1]]])]
    pair = relevance(values, torch.tensor([0, 1]), torch.tensor([2, 3]), torch.ones(4) > 0)
    alone = relevance(values, torch.tensor([0, 1]), torch.tensor([3]), torch.ones(4) > 0)
    assert pair[0] > pair[1] > 0 and alone[0] > pair[0]


@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl"])
@pytest.mark.parametrize("text", ["mug", "red boat", "qzq", "xq", "q", "image", "Is there", "a a"])
def test_the_tokens_of_a_target_are_found_whatever_it_is(family, text):
    guide = ValueSimilarity(answers(family))
    first, last = target_span(guide._source.tail, QUESTION, text)
    ids = guide._source.tail(QUESTION.format(text))[first:last]
    assert answers(family).hf.tokenizer.decode(ids).strip() == text


def test_a_target_of_no_tokens_is_refused():
    with pytest.raises(ValueError, match="a target of no tokens cannot be looked for: ''"):
        ValueSimilarity(answers("llava")).target_heat([query(WIDE, "  ")])


def test_regions_lie_around_the_peaks():
    grid = np.full((10, 12), 0.1)
    grid[2, 3], grid[2, 4], grid[7, 9] = 5.0, 4.0, 3.0
    found = propose(grid, ProposalConfig())
    assert found[:2] == [Box(2, 1, 5, 4), Box(8, 6, 11, 9)]
    wide = np.full((10, 12), 0.1)
    wide[2:7, 2:7] = 1.0
    assert propose(wide, ProposalConfig(regions=1, apart=0)) == [Box(1, 1, 4, 4)]
    wide[4, 4] = 1.1
    assert propose(wide, ProposalConfig(regions=1)) == [Box(2, 2, 7, 7)]  # grown to `most`
    assert propose(wide, ProposalConfig(regions=1, most=3)) == [Box(3, 3, 6, 6)]
    assert propose(np.zeros((4, 4)), ProposalConfig()) == []
    assert propose(np.ones((1, 1)), ProposalConfig()) == [Box(0, 0, 1, 1)]


def test_regions_do_not_overlap_much_and_stay_inside():
    rng = np.random.default_rng(0)
    for _ in range(50):
        rows, columns = rng.integers(1, 20, 2)
        found = propose(rng.random((rows, columns)), ProposalConfig(regions=8))
        assert found and len(found) <= 8
        for i, box in enumerate(found):
            assert 0 <= box.x0 < box.x1 <= columns and 0 <= box.y0 < box.y1 <= rows
            assert all(box.iou(other) <= 0.3 for other in found[:i])


def test_detections_are_the_regions_judged_by_the_model():
    guide = ValueSimilarity(answers("qwen2_5_vl"), proposals=ProposalConfig(regions=2))
    patch = Box(10, 5, 130, 85)
    (found,) = guide.detect([query(WIDE, "mug", patch, "detect")])
    assert 1 <= len(found.boxes) <= 2 and found.heat is not None
    assert (found.boxes[:, :2] >= 0).all() and (found.boxes[:, 2:] <= [120, 80]).all()
    box = Box(*found.boxes[0].tolist()).shift(10, 5)
    judged = Box(int(box.x0), int(box.y0), round(box.x1), round(box.y1))
    (sure,) = guide._judge.existing([query(WIDE, "mug", judged, "existing")])
    assert found.scores[0] == pytest.approx(sure, abs=1e-5)


@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl"])
def test_a_whole_search_runs_on_random_weights_and_can_be_drawn(family):
    guide = ValueSimilarity(answers(family), proposals=ProposalConfig(regions=1))
    config = SearchConfig(
        min_size=40, cue_threshold=1, cue_threshold_min=1, confidence_high=1, confidence_low=1
    )
    search = GuidedSearch(config)
    assert search.needs <= answered_kinds(guide)
    (result,) = run_searches([search.explore(WIDE, "boat")], guide)
    assert len(result.path) == 21 and result.path[0].cue_kind == "target"
    shares = result.path[0].heat.shares(split(result.path[0].box))
    assert sum(shares) == pytest.approx(1) and max(shares) > 0.26
    # The child with the largest share of the map is visited first.
    assert result.path[1].box == split(result.path[0].box)[int(np.argmax(shares))]
    assert from_dict(to_dict(result, heat_cells=24)).num_steps == result.num_steps
    assert draw_path(WIDE, result).width > 100


def test_seals_own_vqa_llm_is_read_as_well():
    model = NetworkAnswerModel(tiny_models.vqa_model(), tiny_models.tokenizer(), max_batch=2)
    guide = ValueSimilarity(model, sigma=0, layers=(0, 2))
    maps = guide._maps(QUERIES)
    kept = []
    hooks = [
        block.self_attn.v_proj.register_forward_hook(lambda m, i, out: kept.append(out[0]))
        for block in model.model.llm.model.layers
    ]
    batch = model.batch([VisualWorkingMemory(QUESTION.format("red boat"), WIDE)])
    with torch.no_grad():
        model.model.hidden_states(batch, model.model.vision_tower(batch.pixel_values))
    for hook in hooks:
        hook.remove()
    size = model.model.llm.model.layers[0].self_attn.head_dim
    values = [v.view(len(v), -1, size).transpose(0, 1).numpy() for v in kept]
    seen = (batch.input_ids[0] < 0).nonzero().flatten().tolist()
    first, last = target_span(guide._source.tail, QUESTION, "red boat")
    target = [seen[-1] + 1 + i for i in range(first, last)]
    side = int(len(seen) ** 0.5)
    expected = naive(values, np.array(seen), target).reshape(side, side)
    view = Box(0, -30, 150, 120)  # the square around it
    np.testing.assert_allclose(maps[0], guide._placed(expected, view, (150, 90)), atol=1e-4)
    for one, grid in zip(QUERIES, maps, strict=True):
        np.testing.assert_allclose(grid, guide._maps([one])[0], atol=1e-5)


@pytest.mark.parametrize("family", ["qwen3_5", "instructblip", "gemma3"])
def test_a_model_without_values_of_image_tokens_is_refused_before_it_is_loaded(family):
    said = f"value_similarity cannot read models of type {family}: .*; name another model"
    with pytest.raises(ValueError, match=said):
        check_values(tiny_families.folder(family))
    with pytest.raises(ValueError, match=said):
        ValueSimilarity(answers(family))


def test_a_server_is_refused_before_it_is_asked():
    with pytest.raises(ValueError, match="for a server never does: load a model here"):
        check_values("http://localhost:8000/v1#some")


def test_what_a_guide_will_read_is_checked_by_its_name():
    server, fine = "http://localhost:8000/v1#some", tiny_families.folder("llava")
    values = GuideConfig.named("value_similarity")
    with pytest.raises(ValueError, match="for a server never does"):
        check_read(values, server)
    check_read(values, fine)
    check_read(values, None)  # another check says that it has no model
    check_read(GuideConfig.named("value_similarity", {"value_similarity": str(fine)}), server)
    check_read(GuideConfig.named("vlm_yes_no"), server)


def test_names_whose_values_can_be_read_pass():
    for family in FAMILIES:
        check_values(tiny_families.folder(family))


def test_a_model_that_shows_no_values_is_refused():
    with pytest.raises(ValueError, match="which SeeingModel does not show"):
        ValueSimilarity(SeeingModel())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": (1, 3)}, "layers=1,3 are none of the 2 of the language model"),
        ({"layers": (1, 1)}, "layers=1,1 are none"),
        ({"sigma": -1}, "sigma=-1 is not a width >= 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        ValueSimilarity(answers("llava"), **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"regions": 0}, "anchors=30 and regions=0: at least 1 of each"),
        ({"least": 6}, "expected 1 <= least <= most, got 6 and 5"),
        ({"overlap": 2}, "overlap in"),
    ],
)
def test_proposals_that_cannot_be_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        ProposalConfig(**options)
