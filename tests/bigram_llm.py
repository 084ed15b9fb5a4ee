"""A LLaMA without training that always says one sentence, for what runs language models."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from seal.text.train_tokenizer import train_tokenizer

SENTENCE = "What color is the big dog?"
_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "assistant:"
)
_SIZE = 336  # of the vocabulary, and of the hidden states: each token has one for itself


def write_bigram_llm(folder: Path, *, chat_template: bool = True) -> Path:
    """A folder for `AutoModelForCausalLM`: the next token depends on the last one alone."""
    tokenizer = train_tokenizer([SENTENCE] * 50 + ["user: system: assistant:\n"], 310, folder)
    if chat_template:
        config = folder / "tokenizer_config.json"
        content = json.loads(config.read_text()) | {"chat_template": _TEMPLATE}
        config.write_text(json.dumps(content))
    pieces = tokenizer.encode(SENTENCE, bos=False)
    assert len(set(pieces)) == len(pieces), "a token that occurs twice has no one successor"
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=_SIZE,
            hidden_size=_SIZE,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=2048,
            tie_word_embeddings=False,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
    )
    with torch.no_grad():
        for parameter in model.model.layers.parameters():
            parameter.zero_()  # the residual alone is left
        model.model.embed_tokens.weight.copy_(torch.eye(_SIZE))
        model.lm_head.weight.zero_()
        following = dict.fromkeys(range(_SIZE), pieces[0])
        following.update(zip(pieces, [*pieces[1:], 2], strict=True))
        for token, successor in following.items():
            model.lm_head.weight[successor, token] = 5.0
    model.save_pretrained(folder)
    return folder
