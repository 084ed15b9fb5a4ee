"""Train a small LLaMA-style tokenizer: sentencepiece BPE with byte fallback, in the usual files."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceTrainer

from seal.text.tokenize import MODEL_FILE, Tokenizer, load_tokenizer

_BYTES = 256
_CONTROLS = 3  # <unk> <s> </s>, at ids 0, 1 and 2


def train_tokenizer(
    texts: Iterable[str],
    vocab_size: int,
    out_folder: str | Path,
    added_tokens: Sequence[str] = (),
) -> Tokenizer:
    """Train on `texts` and write `out_folder`; the same texts give the same bytes.

    Args:
        vocab_size: pieces of the sentencepiece model, its 256 bytes and 3 control tokens included.
        added_tokens: get the ids behind it, in order.
    """
    if vocab_size <= _BYTES + _CONTROLS:
        raise ValueError(
            f"vocab_size={vocab_size} leaves no room behind {_BYTES} bytes and {_CONTROLS} "
            "control tokens"
        )
    if len(set(added_tokens)) != len(added_tokens):
        raise ValueError(f"an added token occurs twice: {list(added_tokens)}")
    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            byte_fallback=True,
            character_coverage=1.0,
            # Text must survive as it is: no Unicode folding, no lost spaces; digits stand alone.
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            split_digits=True,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=-1,
            max_sentence_length=1 << 20,  # longer texts would be left out in silence
            num_threads=1,  # pieces of equal count come in one order
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ValueError(
            f"a tokenizer of {vocab_size} pieces cannot be trained: {error}"
        ) from error
    folder = Path(out_folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(model.getvalue())
    _write_json(folder / "tokenizer_config.json", _config())
    _write_json(folder / "special_tokens_map.json", _special_tokens())
    if not added_tokens:
        return load_tokenizer(folder)
    ids = {token: vocab_size + index for index, token in enumerate(added_tokens)}
    _write_json(folder / "added_tokens.json", ids)
    return load_tokenizer(folder)


def _token(content: str) -> dict[str, Any]:
    flags = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    return {"content": content, **flags}


def _special_tokens() -> dict[str, Any]:
    tokens = {"bos_token": _token("<s>"), "eos_token": _token("</s>"), "unk_token": _token("<unk>")}
    return {**tokens, "pad_token": "<unk>"}


def _config() -> dict[str, Any]:
    return {
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "legacy": True,
        "model_max_length": 2048,
        "padding_side": "right",
        "sp_model_kwargs": {},
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<unk>",
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
