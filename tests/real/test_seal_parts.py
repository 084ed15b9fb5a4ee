"""SEAL's VQA LLM on real parts: what its decoder, tower and conversations make of them."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from seal.batch import IGNORE_INDEX, Row, Sample
from seal.data.collate import collate
from seal.models.files.public_parts import from_parts
from seal.models.parts.projectors import ResamplerConfig
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.text.chat_template import choose_template
from seal.text.conversation import continuation_ids, conversation_row
from seal.text.tokenize import load_tokenizer

pytestmark = pytest.mark.real

TURNS = [
    ("What color is the boat?", "The boat is red."),
    ("How many of them are there?", "There are 12,\nin 2 rows."),
    ("Is it left of the mug? Answer shortly.", "Yes."),
]
TOWER = VisionConfig(
    family="dinov2", hidden_size=384, intermediate_size=1536, num_hidden_layers=12,
    num_attention_heads=6, pretrained_size=518, feature_layer=-2,
)  # fmt: skip
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.fixture(scope="module")
def model(smollm2, dinov2) -> VQAModel:
    config = VQAModelConfig(
        llm=LlmConfig.of(smollm2),
        vision=TOWER,
        resampler=ResamplerConfig(num_latents=4, depth=1, num_heads=2, head_size=8),
        prompt_style="chat",
    )
    built = from_parts(config, llm=smollm2, vision=dinov2)
    assert isinstance(built, VQAModel)
    return built.float().eval()


@pytest.fixture(scope="module")
def rows(smollm2) -> list[Row]:
    """One conversation each, of three lengths."""
    tokenizer = load_tokenizer(smollm2)
    template = choose_template(tokenizer, "vqa", "chat")
    return [conversation_row(tokenizer, template, TURNS[:count]) for count in (3, 1, 2)]


@torch.inference_mode()
def test_rows_packed_and_padded_have_the_states_of_each_alone(model, rows):
    samples = [Sample(str(i), (row,)) for i, row in enumerate(rows)]
    alone = [model.hidden_states(collate([sample], pad_id=2))[0] for sample in samples]
    padded = collate(samples, pad_id=2)
    states = model.hidden_states(padded)
    for own, row, mask in zip(alone, states, padded.attention_mask, strict=True):
        torch.testing.assert_close(row[mask.bool()], own, **CLOSE)
    packed = collate(samples, pad_id=2, pack=True)
    states = model.hidden_states(packed)[0]
    by_length = {len(own): own for own in alone}
    assert len(by_length) == len(rows)
    start = 0
    for document in packed.documents:
        end = start + document.length
        if (own := by_length.pop(document.length, None)) is not None:  # else it is padding
            torch.testing.assert_close(states[start:end], own, **CLOSE)
        start = end
    assert not by_length


@torch.inference_mode()
def test_its_logits_are_those_of_the_public_model(model, rows, smollm2):
    public = AutoModelForCausalLM.from_pretrained(smollm2, dtype=torch.float32).eval()
    for i, row in enumerate(rows):
        hidden = model.hidden_states(collate([Sample(str(i), (row,))], pad_id=2))
        torch.testing.assert_close(
            model.llm.lm_head(hidden), public(row.input_ids[None]).logits, atol=1e-3, rtol=1e-4
        )


def test_labels_are_the_answers_and_what_ends_them(rows, smollm2):
    reference = AutoTokenizer.from_pretrained(smollm2)
    tokenizer = load_tokenizer(smollm2)
    template = choose_template(tokenizer, "vqa", "chat")
    for row, count in zip(rows, (3, 1, 2), strict=True):
        messages = [
            {"role": role, "content": text}
            for turn in TURNS[:count]
            for role, text in zip(("user", "assistant"), turn, strict=True)
        ]
        ids = reference.apply_chat_template(messages)["input_ids"]
        assert row.input_ids.tolist() == ids[: len(row.input_ids)]
        assert reference.decode(ids[len(row.input_ids) :]).strip() == ""
        learnt = [label for label in row.labels.tolist() if label != IGNORE_INDEX]
        answers = [answer for _, answer in TURNS[:count]]
        assert reference.decode(learnt) == "".join(f"{answer}<|im_end|>" for answer in answers)
        assert learnt == [
            i for answer in answers for i in continuation_ids(tokenizer, template, answer)
        ]


@torch.inference_mode()
@pytest.mark.parametrize("size", [224, 336])
def test_the_towers_tokens_are_the_public_models(model, dinov2, size):
    public = AutoModel.from_pretrained(dinov2).eval()
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    states = public(pixels, output_hidden_states=True).hidden_states[TOWER.feature_layer]
    torch.testing.assert_close(model.vision_tower(pixels), states[:, 1:], **CLOSE)
