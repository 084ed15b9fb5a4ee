"""Tiny tokenizers of today's families, trained here, with chat templates of the same structure."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    processors,
    trainers,
)
from tokenizers import pre_tokenizers as pre

TEXTS = [
    "the red boat is most likely to appear on blue water, left or right of a mug. ",
    "Please locate the mug in this image. Sure, it is on the table. Yes. No. A user asks. ",
    "红色的杯子在桌子的左边。What is 3 + 4?\n\nIt is 7.\n",
] * 4
# How each family splits text before it merges.
_GPT = r"'s|'t|'re| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = (
    r"'(?i:s|t|re|ll)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

CHATML_TURNS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SYSTEM = "{% if messages[0].role != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
# The last answer has empty thoughts before it, those of earlier turns have none.
QWEN3 = (
    "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}{% set said = m.content.split('</think>')[-1] %}"
    "{% if loop.index0 > ns.last %}<think>\n\n</think>\n\n{{ said.lstrip('\\n') }}"
    "{% else %}{{ said }}{% endif %}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% if not date_string is defined %}"
    "{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "<|start_header_id|>system<|end_header_id|>\n\nToday: {{ date_string }}\n\n<|eot_id|>"
    "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
    "{% if loop.index0 % 2 %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "[INST] {{ m.content }}[/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
TEKKEN = (
    "{{ bos_token }}{% set today = strftime_now('%Y-%m-%d') %}"
    "[SYSTEM_PROMPT]It is {{ today }}.[/SYSTEM_PROMPT]{% for m in messages %}"
    "{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]{% else %}"
    "{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)


def folder(family: str) -> Path:
    """A tokenizer folder of the family, made once; do not write into it."""
    return _made(family)


def write(place: Path, backend: Tokenizer, template: str | None, config: dict[str, Any]) -> None:
    """A folder as the hub's have it."""
    place.mkdir(parents=True, exist_ok=True)
    backend.save(str(place / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **config}
    (place / "tokenizer_config.json").write_text(json.dumps(config))
    if template is not None:
        (place / "chat_template.jinja").write_text(template)


@functools.cache
def _made(family: str) -> Path:
    place = Path(tempfile.mkdtemp(prefix=f"tiny-tokenizer-{family}-"))
    FAMILIES[family](place)
    return place


def byte_level(
    pattern: str, special: list[str], plain: tuple[str, ...] = (), digits: bool = False
) -> Tokenizer:
    """Byte-level BPE with control tokens behind the vocabulary."""
    made = Tokenizer(models.BPE())
    split = [pre.Digits(individual_digits=True)] if digits else []
    split.append(pre.Split(Regex(pattern), "isolated"))
    made.pre_tokenizer = pre.Sequence([*split, pre.ByteLevel(False, use_regex=False)])
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(
            vocab_size=380, initial_alphabet=pre.ByteLevel.alphabet(), show_progress=False
        ),
    )
    made.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    made.add_tokens([AddedToken(token, normalized=False) for token in plain])
    return made


def _qwen(place: Path, template: str, plain: tuple[str, ...] = ()) -> None:
    made = byte_level(_QWEN, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], plain)
    made.normalizer = normalizers.NFC()
    config = {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    write(place, made, template, config)


def _smollm2(place: Path) -> None:
    made = byte_level(_GPT, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], digits=True)
    names = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}
    names |= {"unk_token": "<|endoftext|>", "pad_token": "<|im_end|>"}
    write(place, made, SYSTEM + CHATML_TURNS, names)


def _llama3(place: Path) -> None:
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>"]
    special += ["<|end_header_id|>", "<|eot_id|>", "<|reserved_special_token_0|>"]
    made = byte_level(_LLAMA3, special)
    made.post_processor = _begins_with(made, "<|begin_of_text|>")
    write(place, made, LLAMA3, {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"})


def _mistral(place: Path) -> None:
    """Pieces with spaces in them, and bytes for what they cannot write, as sentencepiece has it."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.pre_tokenizer = pre.Metaspace("▁", prepend_scheme="first", split=False)
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    special = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
    alphabet = [f"<0x{byte:02X}>" for byte in range(256)]
    made.train_from_iterator(
        (word for text in TEXTS for word in text.split()),
        trainers.BpeTrainer(
            vocab_size=420, special_tokens=[*special, *alphabet], show_progress=False
        ),
    )
    fields = json.loads(made.to_str())
    fields["added_tokens"] = [t for t in fields["added_tokens"] if t["content"] in special]
    made = Tokenizer.from_str(json.dumps(fields))
    made.post_processor = _begins_with(made, "<s>")
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    write(place, made, MISTRAL, names)


def _tekken(place: Path) -> None:
    special = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"]
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    made = byte_level(_LLAMA3, special)
    made.post_processor = _begins_with(made, "<s>")
    write(place, made, TEKKEN, names)


def _begins_with(made: Tokenizer, token: str) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(
        single=f"{token} $A", special_tokens=[(token, made.token_to_id(token))]
    )


FAMILIES: dict[str, Callable[[Path], None]] = {
    "llama3": _llama3,
    "qwen2_5": lambda place: _qwen(place, SYSTEM + CHATML_TURNS),
    "qwen3": lambda place: _qwen(place, QWEN3, ("<think>", "</think>")),
    "smollm2": _smollm2,
    "mistral": _mistral,
    "mistral_tekken": _tekken,
}
