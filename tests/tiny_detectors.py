"""Detectors of each family with tiny random weights, in the folders they are published in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    Owlv2Config,
    Owlv2ForObjectDetection,
    OwlViTConfig,
    OwlViTForObjectDetection,
    PreTrainedTokenizerFast,
    SwinConfig,
)

from seal.inference.guides.detector import Detector

RED = (255, 20, 20)
TEXT = "a photo of the red blue small large mug boat cat sign table water region near on , it"
WORDS = TEXT.split()
GRID = 6
PATCH = 16


def owl_folder(folder: Path, family: str = "owlv2", seed: int = 0) -> Path:
    """A grid of 6 x 6 cells of 16 pixels; 12 tokens of text."""
    tower = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }  # fmt: skip
    kind, build = {
        "owlv2": (Owlv2Config, Owlv2ForObjectDetection),
        "owlvit": (OwlViTConfig, OwlViTForObjectDetection),
    }[family]
    config = kind(
        text_config={
            **tower,
            "vocab_size": 64,
            "max_position_embeddings": 12,
            "bos_token_id": 2,
            "eos_token_id": 63,
        },
        vision_config={**tower, "image_size": GRID * PATCH, "patch_size": PATCH},
        projection_dim=32,
    )
    _save(build, config, folder, seed)
    # The end of a text is its highest id.
    tokens = ["!", "<unk>", "<start>", *WORDS]
    vocabulary = {token: i for i, token in enumerate(tokens)} | {"<end>": 63}
    _tokenizer(vocabulary, "<start>", "<end>", pad="!", unknown="<unk>").save_pretrained(folder)
    return folder


def dino_folder(
    folder: Path, family: str = "grounding_dino", seed: int = 0, short: int = 96, long: int = 160
) -> Path:
    """20 queries over a Swin of three levels; its marks have BERT's ids, which the model knows."""
    kind, build = {
        "grounding_dino": (GroundingDinoConfig, GroundingDinoForObjectDetection),
        "mm_grounding_dino": (MMGroundingDinoConfig, MMGroundingDinoForObjectDetection),
    }[family]
    config = kind(
        backbone_config=SwinConfig(
            image_size=64, patch_size=4, embed_dim=16, depths=[1, 1, 1, 1], num_heads=[2, 2, 2, 2],
            window_size=4, out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=BertConfig(
            vocab_size=1100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=64, max_position_embeddings=64,
        ),
        num_queries=20, d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64,
        decoder_ffn_dim=64, encoder_attention_heads=4, decoder_attention_heads=4, max_text_len=32,
    )  # fmt: skip
    _save(build, config, folder, seed)
    vocabulary = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}
    vocabulary |= {word: 200 + i for i, word in enumerate(WORDS)}
    _tokenizer(vocabulary, "[CLS]", "[SEP]", pad="[PAD]", unknown="[UNK]").save_pretrained(folder)
    size = {"size": {"shortest_edge": short, "longest_edge": long}}
    (folder / "preprocessor_config.json").write_text(json.dumps(size))
    return folder


def _save(build, config, folder: Path, seed: int) -> None:
    torch.manual_seed(seed)
    model = build(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("box_head", "class_head.logit_s")):
                parameter.mul_(0.05)  # a candidate stays near its cell, as in a trained model
            elif "class_head" not in name and "owl" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)  # else all queries are alike
    model.save_pretrained(folder)


def teach_red(detector: Detector, seed: int = 0) -> None:
    """Make an OWL score the red cells of a picture high, whatever the phrase: a linear probe."""
    network = detector.network
    side = GRID * PATCH
    rng = np.random.default_rng(seed)
    pictures, red = [], []
    for _ in range(40):
        picture = Image.fromarray(rng.integers(90, 150, (side, side, 3), np.uint8))
        if rng.random() < 0.7:  # what pads a picture
            edge = int(rng.integers(side // 2, side))
            picture.paste((0, 0, 0), ((edge, 0), (0, edge))[int(rng.integers(2))] + (side, side))
        x, y = rng.integers(0, side - 40, 2)
        box = (int(x), int(y), int(x + rng.integers(24, 40)), int(y + rng.integers(24, 40)))
        picture.paste(RED, box)
        pictures.append(network.fit.pixels(picture))
        covered = np.zeros((side, side))
        covered[box[1] : box[3], box[0] : box[2]] = 1
        red.append(covered.reshape(GRID, PATCH, GRID, PATCH).mean((1, 3)).ravel())
    with torch.inference_mode():
        shown = network.encode(torch.from_numpy(np.stack(pictures)))
        features = torch.cat([crop[0] for crop in shown]).double()
    share = torch.from_numpy(np.concatenate(red))
    features = torch.cat([features, torch.ones(len(features), 1)], 1)
    wanted = 12 * share - 8
    gram = features.T @ features + 1e-3 * torch.eye(features.shape[1])
    weights = torch.linalg.solve(gram, features.T @ wanted)
    head = network.model.class_head
    with torch.no_grad():
        head.logit_shift.weight.copy_(weights[None, :-1])
        head.logit_shift.bias.copy_(weights[-1:])
        head.logit_scale.weight.zero_()
        head.logit_scale.bias.zero_()


def _tokenizer(
    vocabulary: dict[str, int], start: str, end: str, *, pad: str, unknown: str
) -> PreTrainedTokenizerFast:
    """Words between a start and an end; marks are words."""
    made = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        special_tokens=[(start, vocabulary[start]), (end, vocabulary[end])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=start, eos_token=end, pad_token=pad, unk_token=unknown,
        cls_token=start, sep_token=end,
    )  # fmt: skip
