"""The models that are measured: folders of random weights, with a tokenizer of the right size."""

from __future__ import annotations

import json
import string
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from seal.evaluation.speed.config import HIDDEN, SpeedConfig
from seal.evaluation.speed.script import OPTIONS, PLACE, QUESTION, TARGETS
from seal.files.fingerprint import TRAINING_FILE
from seal.inference.guides.seal_vsm import sentence_ends
from seal.inference.hub import model_folder
from seal.models.files.model_config import CONFIG_FILE
from seal.models.files.random_weights import random_model, write_random_model
from seal.models.presets import NUM_ADDED_TOKENS, vqa_preset, vsm_preset
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.text.conversation import VQA, VSM
from seal.text.prompts import cue_prefix, cue_question, focus_sentence, locate_question, refusal
from seal.text.tokenize import Tokenizer
from seal.text.tokens import SEARCH_TOKENS
from seal.text.train_tokenizer import train_tokenizer

_WORD = 9  # letters of a made-up word
_SENTENCES = 400  # times each sentence is read: enough that its words become pieces of their own


def model_folders(config: SpeedConfig) -> tuple[Path, Path]:
    """Where the VQA LLM and the search model are."""
    models = Path(config.out) / "models"
    return models / f"vqa_{config.name}", models / f"vsm_{config.name}"


def search_model_folder(config: SpeedConfig) -> Path:
    """Where the search model is whose searches are compared."""
    return model_folders(config)[1] if config.vsm is None else model_folder(config.vsm)


def models_made(config: SpeedConfig) -> bool:
    """Whether `make_models` has nothing left to do."""
    for folder in model_folders(config):
        if not (folder / CONFIG_FILE).exists():
            return False
        made = json.loads((folder / TRAINING_FILE).read_text(encoding="utf-8"))
        if made.get("seed") != config.seed:
            return False
    return True


def make_models(config: SpeedConfig, device: str) -> None:
    """Write both folders, as far as they are not there.

    One seed gives both the same CLIP tower, which they share once loaded, as the released ones do.
    """
    vqa, vsm = model_sizes(config)
    assert vsm.llm.vocab_size == vqa.llm.vocab_size + NUM_ADDED_TOKENS
    vqa_folder, _ = model_folders(config)
    with tempfile.TemporaryDirectory() as made:
        plain = make_tokenizer(vqa.llm.vocab_size, Path(made), ())
        # They go on until they are stopped: an answer has as many tokens as the script says.
        write_random_model(
            vqa_folder, vqa, plain.folder, seed=config.seed, never={plain.eos_id}, device=device
        )
    make_search_model(config, device)


def make_search_model(config: SpeedConfig, device: str) -> None:
    """Write the search model's folder, as far as it is not there; one that was named is there."""
    if config.vsm is not None:
        return
    _, vsm = model_sizes(config)
    with tempfile.TemporaryDirectory() as made:
        pieces = vsm.llm.vocab_size - NUM_ADDED_TOKENS
        added = make_tokenizer(pieces, Path(made), SEARCH_TOKENS)
        write_random_model(
            model_folders(config)[1], vsm, added.folder, seed=config.seed,
            never={added.eos_id} | sentence_ends(added), device=device,
        )  # fmt: skip


def model_sizes(config: SpeedConfig) -> tuple[VQAModelConfig, VSMModelConfig]:
    """Of the VQA LLM and the search model."""
    preset = "miniature" if config.size in HIDDEN else config.size
    vqa, vsm = vqa_preset(preset), vsm_preset(preset)
    if config.size in HIDDEN:
        vqa.llm, vsm.llm = (_wide(each, HIDDEN[config.size]) for each in (vqa.llm, vsm.llm))
    if config.num_hidden_layers is not None:
        vqa.llm = replace(vqa.llm, num_hidden_layers=config.num_hidden_layers)
        vsm.llm = replace(vsm.llm, num_hidden_layers=config.num_hidden_layers)
    return vqa, vsm


def _wide(llm: LlmConfig, width: int) -> LlmConfig:
    """8 layers of heads of 64 features, and LLaMA's 8 / 3 between, in whole 64s."""
    between = -(-width * 8 // 3 // 64) * 64
    return replace(
        llm, hidden_size=width, intermediate_size=between, num_hidden_layers=8,
        num_attention_heads=width // 64,
    )  # fmt: skip


def endless_model(
    sizes: VQAModelConfig, *, seed: int, dtype: torch.dtype, device: str
) -> tuple[VQAModel, Tokenizer]:
    """A VQA LLM of random weights on its device; an answer ends at its limit, not before."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer(sizes.llm.vocab_size, Path(folder) / "tokenizer", ())
    model = random_model(sizes, seed=seed, dtype=dtype, device=device)
    assert isinstance(model, VQAModel)
    with torch.no_grad():
        model.llm.lm_head.weight[tokenizer.eos_id] = 0
    return model, tokenizer


def make_tokenizer(pieces: int, folder: Path, added: tuple[str, ...]) -> Tokenizer:
    """A tokenizer of just so many pieces, whose prompts are about as long as LLaMA's.

    The words of the prompts are pieces; made-up ones take the other ids, all of which decode.
    """
    rng = np.random.default_rng(0)
    letters = np.array(list(string.ascii_lowercase))
    made_up = [
        " ".join("".join(rng.choice(letters, _WORD)) for _ in range(8)) for _ in range(pieces // 8)
    ]
    name = TARGETS[0]
    sentences = [
        VQA.system,
        VSM.system,
        "USER: ASSISTANT:",
        refusal(TARGETS),
        focus_sentence([f"{name} at location", f"{TARGETS[1]} at location"]),
        QUESTION,
        *OPTIONS,
        locate_question(name),
        "Sure,",
        cue_question(name),
        f"{cue_prefix(name)} on {PLACE}.",
    ]
    return train_tokenizer([*sentences * _SENTENCES, *made_up], pieces, folder, added)
