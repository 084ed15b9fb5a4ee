"""AVG-LLaVA: the original's losses, gradients, choices and answers, through the real conversion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from golden_avg import (
    Picture,
    build_golden_avg,
    golden_avg,
    golden_levels,
    named,
    picture,
    row,
    training_rows,
)
from golden_files import counted, golden_cases, golden_tensors
from golden_models import IMAGE
from plain_batches import mean_losses
from torch import Tensor

from seal.batch import Batch, Routes, Sample, VQAOutput
from seal.data.collate import collate
from seal.data.levels import feedback_rows, level_rows, shown_at
from seal.losses.granularity import GranularityLoss, RouterLossConfig, picture_losses
from seal.losses.vqa import VQALoss, label_losses
from seal.models.files.authors import authors_keys
from seal.models.parts import router
from seal.models.parts.router import RouterOutput
from seal.models.vqa import VQAModel

GOLDENS = pytest.mark.goldens("avg_model")
CLOSE = {"atol": 1e-4, "rtol": 0.0}
ENOUGH = 1e-3  # a margin above which greedy choices are the same everywhere


def cases(kind: str, *keys: str) -> list[Any]:
    """Those of a stored file that have all of `keys`; one stand-in where it cannot be read."""
    found = golden_cases(f"avg/{kind}", "cases")
    return [c for c in found if not isinstance(c, dict) or c.keys() >= {*keys}]


def case_id(case: dict[str, Any]) -> str:
    return case["id"]


def level_samples(case: dict[str, Any]) -> list[Sample]:
    """As stage 3 reads them: each picture at every level, coarse to fine."""
    rng = np.random.default_rng(0)
    return [
        Sample(name, level_rows(whole, golden_levels(), rng), tiles)
        for name, whole, tiles in training_rows(case)
    ]


def row_losses(logits: Tensor, batch: Batch) -> list[float]:
    """Mean cross-entropy of each conversation."""
    each = label_losses(logits, batch)
    return [each[batch.label_rows == at].mean().item() for at in range(len(batch.ids))]


def common_stride(pairs: Sequence[tuple[int, int]]) -> int:
    """The step at which so many of each number are kept."""
    return next(s for s in range(1, 1000) if all(-(-full // s) == kept for full, kept in pairs))


@GOLDENS
@pytest.mark.parametrize("case", cases("stage3"), ids=case_id)
@torch.no_grad()
def test_losses_logits_and_embeddings_at_each_level_equal_the_reference(case):
    t, model, name = golden_tensors("avg/stage3"), golden_avg(), case["id"].rpartition("_")[2]
    samples, embeddings, features = level_samples(case), [], None
    for place, level in enumerate(counted(golden_levels())):
        told = case["levels"][str(level)]
        # A row without a picture stands for every level.
        own = [replace(sample, rows=((sample.rows * (place + 1))[place],)) for sample in samples]
        padded, batch = collate(own, pad_id=0), collate(own, pad_id=0, pack=True)
        assert padded.input_ids.shape[1] == told["length"]
        assert padded.attention_mask.sum(1).tolist() == told["valid"]
        assert torch.bincount(batch.label_rows).tolist() == told["labelled"]
        if features is None:  # the tower's work is the same at all levels
            features = model.encode_images(batch.pixel_values)
        tokens = model.visual_tokens(batch, features)
        found = model.supervised_logits(batch, model.hidden_states(batch, tokens=tokens))
        loss = mean_losses(VQALoss(), batch, VQAOutput(found))["ce"].item()
        assert loss == pytest.approx(told["loss"], rel=1e-5)
        assert row_losses(found, batch) == pytest.approx(told["per_sample"], rel=1e-5)
        if (logits := t.get(f"{name}_{level}_logits")) is not None:
            torch.testing.assert_close(found[: len(logits)], logits, **CLOSE)
        if (kept := t.get(f"{name}_{level}_embeds_sub")) is not None:
            embedded = model.embed(batch, tokens=tokens)[0, : told["length"]]
            embeddings.append((embedded, kept))
    step = common_stride([(len(found), len(kept)) for found, kept in embeddings])
    for found, kept in embeddings:
        torch.testing.assert_close(found[::step], kept, **CLOSE)


def require_gradients(model: VQAModel, case: dict[str, Any]) -> None:
    """The stored norms, and no gradient anywhere else."""
    parameters = dict(model.named_parameters())
    homes = authors_keys(model)
    for theirs, norm in counted(case["grad_norms"].items()):
        gradient = parameters[homes[theirs]].grad
        assert gradient is not None, theirs
        assert gradient.norm().item() == pytest.approx(norm, rel=1e-3, abs=1e-6), theirs
    others = {homes[key] for key in homes.keys() - case["grad_norms"].keys()}
    assert [key for key in others if parameters[key].grad is not None] == []


@GOLDENS
@pytest.mark.parametrize("case", cases("stage3", "grad_norms"), ids=case_id)
def test_a_step_of_stage_3_equals_the_reference_down_to_the_gradients(case):
    model = build_golden_avg()
    model.set_trainable("granularity")
    batch = collate(level_samples(case), pad_id=0, pack=True)
    losses = mean_losses(GranularityLoss(golden_levels()), batch, model.train()(batch))
    for level, told in case["levels"].items():
        part = len(golden_levels()) * losses[f"ce_{level}"].item()
        assert part == pytest.approx(told["loss"], rel=1e-5)
    loss = sum(losses.values())
    assert loss.item() == pytest.approx(case["loss"], rel=1e-5)
    loss.backward()
    require_gradients(model, case)
    for part in case["without_gradient"]:
        assert not any(key.startswith(f"model.{part}") for key in case["grad_norms"])


def routed(model: VQAModel, shown: Sequence[Picture], texts: Sequence[Sequence[int]]) -> Any:
    """What the router makes of the pictures of one row, and what it read of their texts."""
    firsts = np.cumsum([0, *(len(own.tiles) for own in shown)]).tolist()
    visuals = [own.shown(golden_levels()[0], at) for own, at in zip(shown, firsts, strict=False)]
    tiles = tuple(tile for own in shown for tile in own.tiles)
    sample = Sample("one", (row([IMAGE] * len(shown), visuals),), tiles)
    batch = collate([sample], pad_id=0)
    places = [range(at, at + len(own.tiles)) for own, at in zip(shown, firsts, strict=False)]
    routes = Routes.of(places, [torch.tensor(text, dtype=torch.int64) for text in texts])
    return model.route(model.visual_tokens(batch), routes)


def words(ids: Sequence[int]) -> list[int]:
    return [id_ for id_ in ids if id_ != IMAGE]


def require_choice(
    found: RouterOutput, texts: Sequence[Sequence[int]], picked: Sequence[Sequence[int]],
    stored_texts: Sequence[Sequence[int]], post: Tensor, pre: Tensor | None = None,
) -> None:  # fmt: skip
    """The words that were read, in order, and the router's outputs. Of equal words any will do."""
    for own, ids, told, stored in zip(
        found.picked.tolist(), texts, picked, stored_texts, strict=True
    ):
        read = [None if at < 0 else ids[at] for at in own]
        # Behind the words the reference has the zero row of the placeholder, or zero rows.
        assert read == [None if at < 0 or at >= len(stored) else stored[at] for at in told]
    if pre is not None:
        torch.testing.assert_close(found.before_norm, pre, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.scores, post, **CLOSE)


@GOLDENS
@pytest.mark.parametrize("case", cases("stage4", "masked_picked"), ids=case_id)
@torch.no_grad()
def test_a_router_in_training_reads_the_words_and_gives_the_outputs_of_the_reference(case):
    """But where the reference has read answers or padding (oddity 3)."""
    t, of = golden_tensors("avg/stage4"), named("stage3", case["batch_of"])
    model = build_golden_avg().train()
    for place, (_, whole, _) in enumerate(training_rows(of)):
        if not case["masked_picked"][place]:
            text = whole.text_ids.tolist()
            found = routed(model, [picture(of["images"][place])], [text])
            require_choice(
                found, [text], [case["picked_text"][place]], [words(of["input_ids"][place])],
                t[f"{case['id']}_router"][place : place + 1],
                t[f"{case['id']}_pre_norm"][place : place + 1],
            )  # fmt: skip


def feedback_samples(of: dict[str, Any], *, leaks: bool) -> list[Sample]:
    """A stored batch as stage 4 reads it; `leaks`: with the answers among a router's words, and
    padding, as in the reference."""
    samples = []
    for place, (name, whole, tiles) in enumerate(training_rows(of)):
        rows, (own,) = feedback_rows(whole, golden_levels())
        if leaks:
            own = replace(own, text_ids=torch.tensor(words(of["input_ids"][place])))
        samples.append(Sample(name, rows, tiles, routed=(own,)))
    return samples


def has_pictures(case: Any) -> bool:
    """Whether every sample has one: the reference's router is taught by zeros where there is none,
    ours by nothing."""
    return not isinstance(case, dict) or None not in named("stage3", case["batch_of"])["images"]


@GOLDENS
@pytest.mark.parametrize(
    "case", filter(has_pictures, cases("stage4", "masked_picked")), ids=case_id
)
def test_a_step_of_stage_4_equals_the_reference_down_to_the_gradients(case, monkeypatch):
    """Where the reference has read answers or padding, ours is told to read the same."""
    t, of = golden_tensors("avg/stage4"), named("stage3", case["batch_of"])
    model, leaks = build_golden_avg(), any(case["masked_picked"])
    model.set_trainable("router")
    if leaks:
        told = torch.tensor(case["picked_text"])
        lengths = torch.tensor([len(words(ids)) for ids in of["input_ids"]])[:, None]
        read = told.where(told < lengths, -1)  # behind the words is the placeholder's zero row
        monkeypatch.setattr(router, "similar_words", lambda *_: read)
    batch = collate(feedback_samples(of, leaks=leaks), pad_id=0, pack=True)
    output = model.train()(batch)
    assert batch.routes is not None and output.router_scores is not None
    torch.testing.assert_close(output.router_scores, t[f"{case['id']}_router"], **CLOSE)
    losses = picture_losses(batch, batch.routes, output)
    for place, level in enumerate(golden_levels()):
        expected = of["levels"][str(level)]["per_sample"]
        assert losses[:, place].tolist() == pytest.approx(expected, rel=1e-5)
    weights = {key: case[key] for key in ("margin", "rank_weight", "ce_weight")}
    criterion = RouterLossConfig(**weights).build()
    total = sum(mean_losses(criterion, batch, output).values())
    assert total.item() == pytest.approx(case["loss"], rel=1e-5)
    total.backward()
    require_gradients(model, case)
    kept, gradient = t[f"{case['id']}_grad_voter_sub"], model.router.voter.grad
    step = common_stride([(len(gradient), len(kept))])
    steps = [s for s in range(step, step + 3) if -(-len(gradient) // s) == len(kept)]
    assert any(torch.allclose(gradient[::s], kept, rtol=1e-3, atol=1e-5) for s in steps)


@GOLDENS
@pytest.mark.parametrize("case", cases("stage4", "prompt_ids"), ids=case_id)
@torch.inference_mode()
def test_choices_and_answers_equal_the_reference(case):
    t, model = golden_tensors("avg/stage4"), golden_avg()
    (ids,), (name,) = case["prompt_ids"], case["images"]
    text, levels = words(ids), golden_levels()
    found = routed(model, [picture(name)], [text])
    key = case["id"]
    require_choice(found, [text], [case["picked_text"]], [text], t[f"{key}_post"], t[f"{key}_pre"])
    chosen = levels[int(found.scores.argmax())]
    assert chosen == case["chosen_level"] or case["router_margin"] < ENOUGH
    forced = {int(level): told for level, told in case["forced"].items()}
    told_ids = [
        (case["chosen_level"], key, case["answer_ids"], case["answer_margin"]),
        *((n, f"{key}_forced{n}", o["ids"], o["margin"]) for n, o in forced.items()),
    ]
    assert {*forced} == {*levels}
    features = None
    for level, stored, answer, margin in counted(told_ids):
        shown = picture(name).shown(level)
        batch = collate([Sample(key, (row(ids, [shown]),), picture(name).tiles)], pad_id=0)
        if features is None:  # the tower's work is the same at all levels
            features = model.encode_images(batch.pixel_values)
        logits = model.llm.lm_head(model.hidden_states(batch, features)[0, -1])
        torch.testing.assert_close(logits, t[f"{stored}_logits"], **CLOSE)
        if margin > ENOUGH:
            _, *told = answer  # the reference begins with the token a row begins with
            (found_ids,) = model.generate(batch, len(told), features=features)
            assert found_ids == [id_ for id_ in told if id_ != model.llm.config.eos_token_id]


@GOLDENS
@torch.no_grad()
def test_rows_at_the_levels_that_the_router_chose_are_read_together():
    """The reference's evaluation of a padded batch; where it read padding, its choice is taken."""
    t, model = golden_tensors("avg/stage4"), golden_avg()
    for case in counted(c for c in cases("stage4", "batch_of") if c["id"].startswith("eval")):
        of, samples = named("stage3", case["batch_of"]), []
        for (key, whole, tiles), ids, mask, name, valid in zip(
            training_rows(of), of["input_ids"], of["attention_mask"], of["images"],
            case["valid"], strict=True,
        ):  # fmt: skip
            rows = {level: shown_at(whole, [level]) for level in golden_levels()}
            (level,) = (n for n, own in rows.items() if len(own.input_ids) == valid)
            text = words(ids[: sum(mask)])
            if len(text) >= model.router.config.text_tokens:
                scores = routed(model, [picture(name)], [text]).scores
                assert golden_levels()[int(scores.argmax())] == level
            samples.append(Sample(key, (rows[level],), tiles))
        batch = collate(samples, pad_id=0)
        assert batch.input_ids.shape[1] == case["length"]
        hidden = model.hidden_states(batch)
        output = VQAOutput(model.supervised_logits(batch, hidden))
        loss = mean_losses(VQALoss(), batch, output)["ce"].item()
        assert loss == pytest.approx(case["loss"], rel=1e-5)
        ends = torch.tensor(case["valid"]) - 1
        logits = model.llm.lm_head(hidden[torch.arange(len(ends)), ends])
        torch.testing.assert_close(logits, t[f"{case['id']}_last_logits"], **CLOSE)


@GOLDENS
@torch.no_grad()
def test_a_second_picture_without_a_text_is_routed_as_the_reference_does():
    """Oddity 5: the reference gives it none. Ours gives each picture the words of its row."""
    t, model, case = golden_tensors("avg/stage4"), golden_avg(), named("stage4", "two_images")
    (ids,) = case["input_ids"]
    shown = [picture(name) for name in case["images"]]
    texts = [words(ids), *([] for _ in shown[1:])]
    found = routed(model, shown, texts)
    require_choice(found, texts, case["picked_text"], texts, t["two_images_post"])
    levels = [golden_levels()[at] for at in found.scores.argmax(-1).tolist()]
    assert levels == case["chosen_level"]
    firsts = np.cumsum([0, *(len(own.tiles) for own in shown)]).tolist()
    visuals = [own.shown(n, at) for own, n, at in zip(shown, levels, firsts, strict=False)]
    tiles = tuple(tile for own in shown for tile in own.tiles)
    batch = collate([Sample("two", (row(ids, visuals),), tiles)], pad_id=0)
    assert batch.input_ids.shape[1] == case["length"]
    logits = model.llm.lm_head(model.hidden_states(batch)[0, -1])
    torch.testing.assert_close(logits, t["two_images_last_logits"], **CLOSE)


@GOLDENS
@torch.no_grad()
def test_a_picture_that_is_not_cut_is_one_tile_without_a_newline():
    model, case = golden_avg(), named("stage4", "plain_4d")
    (ids,), (name,) = case["input_ids"], case["images"]
    (labels,) = next(c["labels"] for c in cases("stage3") if c["input_ids"] == [ids])
    plain = Picture(picture(name).tiles[:1], None)
    for level in counted(golden_levels()):
        shown, told = plain.shown(level), case["levels"][str(level)]
        batch = collate([Sample(name, (row(ids, [shown], labels),), plain.tiles)], pad_id=0)
        assert batch.input_ids.shape[1] == told["length"]
        (loss,) = row_losses(model(batch).logits, batch)
        assert loss == pytest.approx(told["loss"], rel=1e-5)
