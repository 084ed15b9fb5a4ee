"""The multimodal core: rows of every kind, alone and together, padded on either side."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from mixed_batches import LOC, LONG, SHORT, row, vqa_model, vqa_sample, vsm_model

from seal.batch import VISUAL_TOKEN, Batch, Row, Sample, Visual
from seal.data.collate import collate
from seal.losses.vqa import VQALoss
from seal.models.vqa import VQAModel

KINDS = {"text only": 0, "no object": 2, "one object": 4, "two objects": 6, "three objects": 8}
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(scope="module")
def model() -> VQAModel:
    torch.manual_seed(0)
    return vqa_model().eval()


def samples() -> list[Sample]:
    return [vqa_sample(i, torch.Generator().manual_seed(i)) for i in KINDS.values()]


def prompts() -> list[Sample]:
    """The samples without their answers."""
    cut = []
    for sample in samples():
        (whole,) = sample.rows
        end = int((whole.labels >= 0).nonzero()[0])
        asked = dataclasses.replace(
            whole, input_ids=whole.input_ids[:end], labels=whole.labels[:end]
        )
        cut.append(dataclasses.replace(sample, rows=(asked,)))
    return cut


def batch_of(some: list[Sample], side: str = "right") -> Batch:
    return collate(some, pad_id=0, side=side)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=list(KINDS))
@torch.no_grad()
def test_a_row_of_a_mixed_batch_is_what_it_is_alone(model, kind, side):
    together = batch_of(samples(), side)
    alone = batch_of(samples()[kind : kind + 1])
    row = model.hidden_states(together)[kind][together.attention_mask[kind]]
    torch.testing.assert_close(row, model.hidden_states(alone)[0], **CLOSE)


@torch.no_grad()
def test_each_run_of_visual_embeddings_comes_from_its_image_and_projector(model):
    batch = batch_of(samples())
    runs = []
    for sample in samples():
        for visual in sample.rows[0].visuals:
            features = model.encode_images(sample.images[visual.image][None])
            projector = model.image_projector if visual.long else model.object_projector
            runs.append(projector(features)[0])
    embeddings = model.embed(batch)
    torch.testing.assert_close(embeddings[batch.input_ids == VISUAL_TOKEN], torch.cat(runs))
    words = batch.input_ids != VISUAL_TOKEN
    table = model.llm.get_input_embeddings()
    torch.testing.assert_close(embeddings[words], table(batch.input_ids[words]))


def test_an_image_is_encoded_once_however_many_rows_show_it(model, monkeypatch):
    image = torch.randn(3, 28, 28)
    rows = tuple(row([Visual(0, True)], [5, 6, 7 + i], [8, 9]) for i in range(3))
    seen = []
    tower = model.vision_tower.forward
    monkeypatch.setattr(model.vision_tower, "forward", lambda x: seen.append(len(x)) or tower(x))
    model(batch_of([Sample("one", rows, (image,))]))
    assert seen == [1]


@torch.no_grad()
def test_features_computed_before_give_the_same_embeddings(model):
    batch = batch_of(samples())
    features = model.encode_images(batch.pixel_values)
    torch.testing.assert_close(model.embed(batch, features), model.embed(batch))


@torch.no_grad()
def test_logits_are_those_of_the_supervised_positions_alone(model):
    batch = batch_of(samples())
    everywhere = model.llm.lm_head(model.hidden_states(batch))
    logits = model(batch).logits
    assert len(logits) == len(batch.label_ids) == int((batch.labels >= 0).sum())
    before = torch.zeros_like(batch.labels, dtype=torch.bool)
    before[:, :-1] = batch.labels[:, 1:] >= 0
    torch.testing.assert_close(logits, everywhere[before], **CLOSE)
    assert torch.equal(batch.label_ids, batch.labels[:, 1:][before[:, :-1]])


@pytest.mark.parametrize("side", ["right", "left"])
def test_batched_answers_equal_those_given_alone(model, side):
    alone = [model.generate(batch_of([prompt]), 12)[0] for prompt in prompts()]
    assert model.generate(batch_of(prompts(), side), 12) == alone
    assert any(len(answer) == 12 for answer in alone)


def test_greedy_answers_are_those_of_a_full_pass_at_every_token(model):
    for prompt in prompts():
        (answer,) = model.generate(batch_of([prompt]), 6)
        (asked,) = prompt.rows
        for count, token in enumerate(answer):
            ids = torch.cat([asked.input_ids, torch.tensor(answer[:count], dtype=torch.long)])
            longer = dataclasses.replace(asked, input_ids=ids, labels=torch.full_like(ids, -100))
            batch = batch_of([dataclasses.replace(prompt, rows=(longer,))])
            with torch.no_grad():
                logits = model.llm.lm_head(model.hidden_states(batch)[0, -1])
            assert logits.argmax() == token


def test_a_row_ends_at_the_end_of_sequence_or_a_stop_id_while_others_go_on(model):
    batch = batch_of(prompts())
    whole = model.generate(batch, 10)
    stop = whole[0][3]
    stopped = model.generate(batch, 10, stop_ids=(stop,))
    for answer, cut in zip(whole, stopped, strict=True):
        end = answer.index(stop) + 1 if stop in answer else len(answer)
        assert cut == answer[:end]
    eos = model.llm.config.eos_token_id
    model.llm.config.eos_token_id = stop
    ended = model.generate(batch, 10)
    model.llm.config.eos_token_id = eos
    assert ended[0] == whole[0][: whole[0].index(stop)]
    for answer, cut in zip(whole, ended, strict=True):
        assert cut == answer[: len(cut)] or stop not in answer


def test_generation_runs_no_step_after_the_last_row_has_ended(model, monkeypatch):
    batch = batch_of(prompts()[:1])
    (answer,) = model.generate(batch, 10)
    steps = []
    head = model.llm.lm_head.forward
    monkeypatch.setattr(model.llm.lm_head, "forward", lambda x: steps.append(1) or head(x))
    model.generate(batch, 10, stop_ids=(answer[0],))
    assert len(steps) == 1


def test_a_row_that_attends_to_nothing_cannot_be_continued(model):
    batch = batch_of(prompts())
    batch.attention_mask[1] = False
    with pytest.raises(ValueError, match="attends to nothing"):
        model.generate(batch, 2)


@pytest.mark.parametrize("kinds", [[0], [1], [4], [0, 1, 2, 3, 4]], ids=str)
def test_every_trained_parameter_has_a_gradient_whatever_the_batch_shows(kinds):
    """Text only, long only, short only, mixed; what nothing shows has a gradient of zero."""
    model = vqa_model()
    batch = batch_of([samples()[kind] for kind in kinds])
    VQALoss()(batch, model(batch))["ce"].backward()
    missing = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad and p.grad is not None]
    assert missing == frozen == []
    shown = {True: len(batch.long_images) > 0, False: len(batch.short_images) > 0}
    for long, projector in ((True, model.image_projector), (False, model.object_projector)):
        assert any(bool(p.grad.any()) for p in projector.parameters()) == shown[long]


def test_gradients_with_checkpointed_activations_are_the_same():
    torch.manual_seed(0)
    model = vqa_model().train()
    batch = batch_of(samples())

    def gradients() -> dict[str, torch.Tensor]:
        model.zero_grad()
        VQALoss()(batch, model(batch))["ce"].backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    plain = gradients()
    model.llm.gradient_checkpointing_enable({"use_reentrant": False})
    kept = gradients()
    assert plain.keys() == kept.keys()
    for name, gradient in plain.items():
        assert torch.equal(gradient, kept[name]), name


def test_resampled_tokens_without_a_resampler_are_a_clear_error():
    model = vsm_model()
    sample = Sample("s", (row([Visual(0, False)], [5, 6], [LOC]),), (torch.randn(3, 28, 28),))
    with pytest.raises(ValueError, match="no object projector"):
        model.embed(batch_of([sample]))


def test_a_tokenizer_of_other_visual_sizes_is_a_clear_error(model):
    (whole,) = samples()[1].rows
    longer = torch.cat([torch.tensor([VISUAL_TOKEN]), whole.input_ids])
    visuals = (dataclasses.replace(whole.visuals[0], length=LONG + 1),)
    wrong = Row(longer, torch.full_like(longer, -100), visuals)
    broken = dataclasses.replace(samples()[1], rows=(wrong,))
    with pytest.raises(ValueError, match=rf"take \({LONG + 1}, 0\) positions.* is {LONG} visual"):
        model.embed(batch_of([broken]))
    broken = dataclasses.replace(
        samples()[1], rows=(dataclasses.replace(wrong, visuals=whole.visuals),)
    )
    with pytest.raises(ValueError, match=f"{LONG + 1} visual placeholders.*take {LONG}"):
        batch_of([broken])
    assert SHORT != LONG
