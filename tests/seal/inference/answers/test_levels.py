"""Pictures are read at the level that the router picks, or at one that is named."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tiny_models import blocks, levelled_vqa_model, tokenizer

from seal.batch import VISUAL_TOKEN, Routed, Sample
from seal.data.collate import collate
from seal.data.levels import shown_at
from seal.geometry import Box
from seal.images import context_crop
from seal.images.tiles import TilesConfig
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.models.parts.router import RouterConfig
from seal.pipeline import Question, Seal
from seal.text.conversation import VQA as TEMPLATE
from seal.text.conversation import continuation_ids
from seal.working_memory import MemoryTarget, VisualWorkingMemory

ROUTER = RouterConfig(text_tokens=4, num_heads=4)
SQUARE, WIDE, TALL, FLAT = (
    blocks(*size, seed) for seed, size in enumerate([(64, 64), (100, 40), (30, 90), (400, 30)])
)
MUG, BOAT = Box(4, 4, 24, 24), Box(10, 6, 30, 12)
MEMORIES = {
    "text only": VisualWorkingMemory("Is the boat red?"),
    "square": VisualWorkingMemory("Is the boat red?", SQUARE),
    "wide": VisualWorkingMemory("What is left of a mug on blue water?", WIDE),
    "tall, one": VisualWorkingMemory("What?", TALL, (MemoryTarget("boat", (MUG,)),)),
    "flat, two": VisualWorkingMemory(
        "Left or right?", FLAT, (MemoryTarget("boat", (MUG,)), MemoryTarget("mug", (BOAT,)))
    ),
    "square, not found": VisualWorkingMemory("What?", SQUARE, (MemoryTarget("boat"),)),
    "wide, black": VisualWorkingMemory(
        "What?", WIDE, (MemoryTarget("boat", (MUG, BOAT)),), crops_black=True
    ),
}
OPTIONS = ["red", "The boat is blue and on the water.", "a mug"]
LEVELS = [1, 2, 4, 8, 16]


def network(form: str):
    if form == "tiles":
        return levelled_vqa_model(tiles=TilesConfig(), router=ROUTER)
    if form == "released tiles":
        tiles = TilesConfig(unpad="as_released")
        return levelled_vqa_model(tiles=tiles, router=replace(ROUTER, attends="tiles"))
    return levelled_vqa_model(3, router=ROUTER, resampler=True)


FORMS = ["tiles", "released tiles", "working memory"]


@pytest.fixture(scope="module", params=FORMS)
def model(request):
    return NetworkAnswerModel(network(request.param), tokenizer(), max_batch=4)


def alone(model):
    """The same network, which has seen nothing yet."""
    return NetworkAnswerModel(model.model, tokenizer())


def pixels_of(model, memory):
    """The tiles of each picture, made one by one."""
    tower = model._pictures.tower
    if memory.image is None:
        return []
    shown = [tower.pixels(memory.image, pad=True)]
    for target in memory.targets:
        for box in target.boxes:
            crop = context_crop(memory.image, box)
            if memory.crops_black:
                crop.paste((0, 0, 0), (0, 0, *crop.size))
            shown.append(tower.pixels(crop, pad=False))
    return shown


def by_the_way_of_training(model, memory):
    """The levels that the router picks for a sample as training makes it, and its whole batch."""
    row = model._prompt_row(memory, model._visuals(memory))
    shown = pixels_of(model, memory)
    routed = tuple(Routed(v, row.text_ids, (0,)) for v in row.visuals)
    images = tuple(tile for tiles in shown for tile in tiles)
    batch = collate([Sample("a", (row,), images, routed=routed)], pad_id=0)
    network = model.model
    with torch.inference_mode():
        scores = network.route(network.visual_tokens(batch), batch.routes).scores
        levels = tuple(LEVELS[i] for i in scores.argmax(-1))
        at = Sample("a", (shown_at(row, levels),), images)
        return levels, collate([at], pad_id=0)


def test_the_level_of_each_picture_is_the_routers_best_whatever_is_asked_beside_it(model):
    expected = {n: by_the_way_of_training(model, m)[0] for n, m in MEMORIES.items() if m.image}
    assert len({level for levels in expected.values() for level in levels}) >= 3
    together = alone(model)
    together.next_word([(memory, ["red"]) for memory in MEMORIES.values()])
    for name, levels in expected.items():
        assert together.levels_of(MEMORIES[name]) == levels
        assert alone(model).levels_of(MEMORIES[name]) == levels
        assert len(levels) == 1 + MEMORIES[name].num_crops
    assert together.levels_of(MEMORIES["text only"]) == ()


@pytest.mark.parametrize("name", [n for n, memory in MEMORIES.items() if memory.image])
def test_option_scores_equal_a_pass_over_the_whole_sequence_at_the_chosen_levels(model, name):
    memory = MEMORIES[name]
    (losses,) = model.loglikelihood([(memory, OPTIONS)])
    _, batch = by_the_way_of_training(model, memory)
    for option, loss in zip(OPTIONS, losses, strict=True):
        ids = torch.tensor(continuation_ids(tokenizer(), TEMPLATE, option))
        with torch.inference_mode():
            tail = model.model.llm.get_input_embeddings()(ids)[None]
            embeddings = torch.cat([model.model.embed(batch), tail], 1)
            logits = model.model.llm(inputs_embeds=embeddings).logits[0]
        expected = F.cross_entropy(logits[-len(ids) - 1 : -1], ids).item()
        assert loss == pytest.approx(expected, abs=1e-5)


def test_batched_at_mixed_levels_equals_one_by_one(model):
    memories = list(MEMORIES.values())
    requests = [(memory, OPTIONS[: 1 + i % 3]) for i, memory in enumerate(memories)]
    words = [(memory, ["A", "B"]) for memory in memories]
    whole = alone(model)
    scored, worded = whole.loglikelihood(requests), whole.next_word(words)
    said = whole.generate(memories, max_new_tokens=6)
    for i, memory in enumerate(memories):
        one = alone(model)
        assert scored[i] == pytest.approx(one.loglikelihood([requests[i]])[0], abs=1e-5)
        assert worded[i] == pytest.approx(one.next_word([words[i]])[0], abs=1e-5)
        assert said[i] == one.generate([memory], max_new_tokens=6)[0]


def test_a_named_level_is_that_of_every_picture_and_its_tokens_are_what_is_charged(model):
    memory = MEMORIES["flat, two"]
    read = []
    for level in LEVELS:
        view = model.shown_as(str(level))
        assert view.levels_of(memory) == (level,) * 3
        before = copy(view.cost)
        (losses,) = view.loglikelihood([(memory, OPTIONS)])
        spent = view.cost - before
        row = view.row(memory)
        assert spent.visual_tokens == int((row.input_ids == VISUAL_TOKEN).sum())
        tiled = [visual.tiling for visual in row.visuals]
        counts = [level if tiling is None else tiling.count(level) for tiling in tiled]
        assert spent.visual_tokens == sum(counts)
        assert spent.tokens_read - spent.visual_tokens == len(row.text_ids) + sum(
            len(continuation_ids(tokenizer(), TEMPLATE, option)) for option in OPTIONS
        )
        tiles = sum(visual.num_tiles for visual in row.visuals)
        assert (spent.images, spent.pixels) == (3, tiles * 56**2)
        read.append((spent.visual_tokens, tuple(losses)))
    assert len(set(read)) == len(LEVELS)


def test_a_named_level_that_the_router_picks_too_answers_alike(model):
    memory = MEMORIES["wide"]
    (level,) = model.levels_of(memory)
    forced = model.shown_as(str(level))
    assert forced.loglikelihood([(memory, OPTIONS)]) == model.loglikelihood([(memory, OPTIONS)])
    assert forced.settings()["granularity"] == level
    assert model.settings()["granularity"] == "auto"
    assert model.settings()["token_policy"] == forced.settings()["token_policy"] == "router"


def test_rows_that_the_released_unpadding_cuts_are_not_read():
    ours, released = (
        NetworkAnswerModel(network(form), tokenizer(), granularity=8)
        for form in ("tiles", "released tiles")
    )
    counted = []
    for model in (ours, released):
        model.next_word([(MEMORIES["square"], ["red"])])
        counted.append(model.cost.visual_tokens)
    # Two by two tiles of 4 x 2 tokens, with a newline a row: all eight rows, or half of them.
    assert counted == [8 + 8 * 5, 8 + 4 * 5]


def test_the_tower_sees_a_picture_once_while_its_image_is_known(model, monkeypatch):
    fresh, seen = alone(model), []
    real = fresh.model.encode_images
    monkeypatch.setattr(fresh.model, "encode_images", lambda p: seen.append(len(p)) or real(p))
    asked, memory = replace(MEMORIES["tall, one"], targets=()), MEMORIES["tall, one"]
    tiles = [len(own) for own in pixels_of(fresh, memory)]
    fresh.generate([asked], max_new_tokens=2)
    assert sum(seen) == tiles[0]
    assert fresh.fits(memory)
    fresh.loglikelihood([(memory, OPTIONS)])
    fresh.next_word([(memory, ["red"]), (asked, ["red"])])
    fresh.shown_as("4").loglikelihood([(memory, OPTIONS)])
    assert sum(seen) == sum(tiles)  # the crop alone was new
    fresh.forget(memory.image)
    fresh.next_word([(memory, ["red"])])
    assert sum(seen) == 2 * sum(tiles)


def test_many_questions_about_more_pictures_than_are_kept_are_still_answered(model, monkeypatch):
    monkeypatch.setattr("seal.inference.answers.memory_pictures.KEPT_TILES", 2)
    monkeypatch.setattr("seal.inference.answers.level_choice.MEMORIES_A_TIME", 3)
    memories = list(MEMORIES.values())
    few = alone(model).generate(memories, max_new_tokens=3)
    monkeypatch.undo()
    assert few == alone(model).generate(memories, max_new_tokens=3)


def test_what_fits_is_decided_at_the_level_at_which_it_is_read():
    memory = MEMORIES["flat, two"]
    roomy = NetworkAnswerModel(network("tiles"), tokenizer()).shown_as("1")
    answer = max(len(continuation_ids(tokenizer(), TEMPLATE, option)) for option in OPTIONS)
    context = len(roomy.row(memory).input_ids) + answer
    tight = levelled_vqa_model(tiles=TilesConfig(), router=ROUTER, context=context)
    model = NetworkAnswerModel(tight, tokenizer())
    coarse, fine = model.shown_as("1"), model.shown_as("2")
    assert coarse.fits(memory, OPTIONS) and not fine.fits(memory, OPTIONS)
    assert model.fits(memory, OPTIONS) == (set(model.levels_of(memory)) == {1})
    assert len(coarse.loglikelihood([(memory, OPTIONS)])[0]) == 3
    with pytest.raises(ValueError, match="name a coarser level"):
        fine.loglikelihood([(memory, OPTIONS)])


def test_a_router_model_of_the_working_memory_shows_pictures_by_the_old_rule_too():
    model = NetworkAnswerModel(network("working memory"), tokenizer())
    memory = MEMORIES["flat, two"]
    assert [v.long for v in model.row(memory).visuals] == [True, True, True]
    rule = model.shown_as("consistent")
    assert rule.levels_of(memory) == () and "granularity" not in rule.settings()
    assert [v.long for v in rule.row(memory).visuals] == [False, True, True]
    before = copy(model.cost)
    (losses,) = rule.loglikelihood([(memory, OPTIONS)])
    assert (model.cost - before).visual_tokens == 2 + 16 + 16
    assert losses == rule.loglikelihood([(memory, OPTIONS)])[0]
    assert losses != model.loglikelihood([(memory, OPTIONS)])[0]


def test_what_a_model_lacks_is_told_in_one_line_with_what_it_has(model):
    for word in ("3", "576"):
        with pytest.raises(ValueError, match=f"granularity={word} is no level of the answer model"
                                             ", which has 1, 2, 4, 8, 16$"):  # fmt: skip
            model.shown_as(word)
    untrained = NetworkAnswerModel(levelled_vqa_model(tiles=TilesConfig()), tokenizer())
    assert untrained.granularity == 16  # what stage 3 leaves: the finest, until a level is named
    assert untrained.levels_of(MEMORIES["square"]) == (16,)
    assert untrained.shown_as("2").levels_of(MEMORIES["square"]) == (2,)
    for word in ("auto", "router"):
        with pytest.raises(ValueError, match="has no router that picks a level; name one of 1, 2"):
            untrained.shown_as(word)
    with pytest.raises(ValueError, match="sends pictures through a resampler"):
        untrained.shown_as("consistent")
    tiled = NetworkAnswerModel(
        levelled_vqa_model(tiles=TilesConfig(), resampler=True), tokenizer()
    )  # fmt: skip
    with pytest.raises(ValueError, match="reads none of the tiles that the answer model cuts"):
        tiled.shown_as("consistent")


def test_a_model_that_was_not_taught_to_refuse_is_asked_what_it_lacks(model):
    taught = model.model.config.resampler is not None
    assert Seal(model, None).planner.name == ("seal" if taught else "ask")


def test_scores_that_are_not_finite_stop_the_choice():
    broken = network("working memory")
    torch.nn.init.constant_(broken.router.norm.weight, float("nan"))
    with pytest.raises(FloatingPointError, match="router gives scores that are not finite"):
        NetworkAnswerModel(broken, tokenizer()).levels_of(MEMORIES["wide"])


def test_an_answer_tells_the_levels_it_was_read_at_and_costs_what_it_costs_alone(model):
    questions = [
        Question(SQUARE, "Is the boat red?", ("red", "blue")),
        Question(WIDE, "What is left?", final_texts=("What is left of it?",), max_new_tokens=3),
        Question(None, "Is the boat red?", ("red", "blue")),
        Question(TALL, "Where?", final_texts=("Where is a mug?", "Where?"), max_new_tokens=3),
    ]
    together = Seal(alone(model), None).ask_many(questions)
    for question, answer in zip(questions, together, strict=True):
        (one,) = Seal(alone(model), None).ask_many([question])
        assert answer.levels == one.levels == model.levels_of(one.memory)
        put = [replace(one.memory, question=text) for text in question.final_texts]
        if question.final_texts:
            assert answer.levels_each == [model.levels_of(memory) for memory in put]
        if len(question.final_texts) > 1:
            assert answer.to_dict()["levels_each"] == list(map(list, answer.levels_each))
        assert answer.cost["answer_model"] == one.cost["answer_model"]
        assert answer.losses == pytest.approx(one.losses, abs=1e-5) and answer.texts == one.texts
        assert answer.to_dict().get("levels", []) == list(answer.levels)
        assert len(answer.levels) == (question.image is not None)
    assert together[2].cost["answer_model"]["visual_tokens"] == 0
    assert together[0].cost["answer_model"]["visual_tokens"] > 0
