"""Both models with a tokenizer of their own family and its chat template."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import tiny_models
import tiny_tokenizers
import torch

from seal.batch import VISUAL_TOKEN, Sample, Target, Visual
from seal.data.collate import collate
from seal.geometry import Box
from seal.images import clip_pixels, owl_pixels, pad_to_square
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.inference.load import load_models
from seal.inference.vicrop.seal_source import SealSource
from seal.models.files.save import save_model
from seal.models.files.tokenizer_fit import require_tokenizer_fits
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM
from seal.search.protocol import Patch, Query
from seal.text.conversation import conversation_row
from seal.text.extend_tokenizer import extend_tokenizer
from seal.text.prompts import LOCATE_ANSWER, locate_question
from seal.text.tokenize import Tokenizer, load_tokenizer
from seal.text.tokens import SEARCH_TOKENS, VisualSizes
from seal.working_memory import VisualWorkingMemory

# A fixed day, empty thoughts, a space before answers; what is written is compared elsewhere.
FAMILIES = ("llama3", "qwen3", "mistral")


@pytest.fixture(scope="module", params=FAMILIES)
def tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Tokenizer:
    place = tmp_path_factory.mktemp(request.param)
    return extend_tokenizer(tiny_tokenizers.folder(request.param), place, SEARCH_TOKENS)


def vqa(tokenizer: Tokenizer) -> VQAModel:
    return _fitted(tiny_models.vqa_model(), tokenizer)


def vsm(tokenizer: Tokenizer) -> VSM:
    return _fitted(tiny_models.vsm_model(), tokenizer)


def _fitted(model, tokenizer: Tokenizer):
    """A model of the same sizes for another vocabulary and its chat template."""
    config = model.config
    llm = dataclasses.replace(
        config.llm, vocab_size=tokenizer.vocab_size + 5, eos_token_id=tokenizer.eos_id
    )
    torch.manual_seed(0)
    return dataclasses.replace(config, llm=llm, prompt_style="chat").build().eval()


def test_answers_in_a_batch_are_those_alone(tokenizer: Tokenizer) -> None:
    model = NetworkAnswerModel(vqa(tokenizer), tokenizer)
    memories = [
        VisualWorkingMemory("Is the mug red?", tiny_models.noise()),
        VisualWorkingMemory("What is left of the boat, and what is right of it?"),
    ]
    options = ["Yes.", "No, it is blue."]
    together = model.loglikelihood([(memory, options) for memory in memories])
    alone = [model.loglikelihood([(memory, options)])[0] for memory in memories]
    torch.testing.assert_close(torch.tensor(together), torch.tensor(alone))
    assert [said.text for said in model.generate(memories, max_new_tokens=5)] == [
        model.generate([memory], max_new_tokens=5)[0].text for memory in memories
    ]
    assert "Is the mug red?" in model.prompt(memories[0])
    with pytest.raises(ValueError, match="a question contains"):
        model.generate([VisualWorkingMemory(f"Is{tokenizer.eos_token}?")])


def test_attention_is_read_from_the_prompt_that_is_answered(tokenizer: Tokenizer) -> None:
    model = NetworkAnswerModel(vqa(tokenizer), tokenizer)
    source = SealSource(model)
    image = tiny_models.noise()
    ids = model.row(VisualWorkingMemory("Is the mug red?", image)).input_ids.tolist()
    length = source.begin([image]).mask.shape[1]
    assert ids[length - 1] == VISUAL_TOKEN and ids[length:] == source.tail("Is the mug red?")


def test_any_end_of_the_family_ends_an_answer(tokenizer: Tokenizer) -> None:
    network = vqa(tokenizer)
    model = NetworkAnswerModel(network, tokenizer)
    for end in sorted(tokenizer.stop_ids):
        with torch.no_grad():
            network.llm.lm_head.weight.zero_()
            network.llm.model.norm.weight.fill_(1)
            network.llm.lm_head.weight[end] = 1e-3
            states = network.hidden_states(model.batch([VisualWorkingMemory("Is it?")]))[0, -1]
            network.llm.lm_head.weight[end] *= float(states.sum().sign())
        (said,) = model.generate([VisualWorkingMemory("Is it?")], max_new_tokens=4)
        assert said.finished and said.text == "" and said.num_tokens == 1


def test_a_search_asks_for_the_state_that_training_taught(tokenizer: Tokenizer) -> None:
    """What `detect` finds is what the training's forward pass predicts for the same row."""
    network = vsm(tokenizer)
    model = NetworkSearchModel(network, tokenizer)
    image = tiny_models.noise(64, 64)
    whole = Patch(image, Box(0, 0, 64, 64))
    queries = [Query("detect", whole, name) for name in ("mug", "red boat")]
    found = model.detect(queries)
    for query, one in zip(queries, found, strict=True):
        row = conversation_row(
            tokenizer,
            model.prompts.template,
            [(f"<image>\n{locate_question(query.text)}", LOCATE_ANSWER)],
            image=Visual(0, True),
            sizes=VisualSizes(long=network.config.vision.num_tokens),
        )
        size = network.config.vision.image_size
        pixels = torch.from_numpy(clip_pixels(pad_to_square(image, "top_left")[0], size))
        detector = torch.from_numpy(owl_pixels(image, network.config.detector.image_size))
        sample = Sample("0", (row,), (pixels,), detector, (Target(None, None),))
        batch = collate([sample], pad_id=tokenizer.pad_id)
        with torch.no_grad():
            out = network(batch)
        scores = torch.from_numpy(one.scores)
        torch.testing.assert_close(scores, out.pred_logits[0].sigmoid(), rtol=1e-4, atol=1e-5)
    alone = [model.detect([query])[0] for query in queries]
    for one, other in zip(found, alone, strict=True):
        torch.testing.assert_close(one.scores, other.scores, rtol=1e-5, atol=1e-6)
    cues = model.contextual_cue(queries)
    assert [cue.answer for cue in cues] == [
        model.contextual_cue([query])[0].answer for query in queries
    ]
    assert cues[0].answer.startswith("The mug is most likely to appear")


def test_style_and_tokenizer_come_back_with_the_model(tokenizer: Tokenizer, tmp_path: Path) -> None:
    save_model(tmp_path / "vqa", vqa(tokenizer), tokenizer.folder)
    assert json.loads((tmp_path / "vqa" / "config.json").read_text())["prompt_style"] == "chat"
    for name in ("tokenizer.json", "chat_template.jinja", "tokenizer_config.json"):
        assert (tmp_path / "vqa" / name).read_bytes() == (tokenizer.folder / name).read_bytes()
    answers, _ = load_models(tmp_path / "vqa", None, device="cpu")
    assert answers is not None
    memory = VisualWorkingMemory("Is it?")
    model = NetworkAnswerModel(vqa(tokenizer), tokenizer)
    told, expected = (m.loglikelihood([(memory, ["Yes."])])[0] for m in (answers, model))
    assert told == pytest.approx(expected, rel=1e-5)
    (tmp_path / "vqa" / "chat_template.jinja").unlink()
    with pytest.raises(ValueError, match=r"has no chat template .*prompt_style=vicuna"):
        load_models(tmp_path / "vqa", None, device="cpu")


def test_a_tokenizer_that_does_not_fit_the_model_is_refused(tokenizer: Tokenizer) -> None:
    config = vsm(tokenizer).config
    require_tokenizer_fits(tokenizer, config)
    for changes, message in (
        ({"eos_token_id": 5}, rf"eos_token_id is 5; set llm.eos_token_id={tokenizer.eos_id}"),
        ({"vocab_size": 100}, "tokens, the model 100; are these files of one model"),
    ):
        other = dataclasses.replace(config, llm=dataclasses.replace(config.llm, **changes))
        with pytest.raises(ValueError, match=message):
            require_tokenizer_fits(tokenizer, other)


def test_a_search_model_needs_its_own_tokens() -> None:
    plain = load_tokenizer(tiny_tokenizers.folder("qwen3"))
    with pytest.raises(ValueError, match=r"has no <im_start>, <im_end>, \[LOC\].* eval/convert"):
        require_tokenizer_fits(plain, vsm(plain).config)
    require_tokenizer_fits(plain, vqa(plain).config)
