"""A tiny LLaVA for llama.cpp: whatever it is shown, its answers begin with the same odds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor

from seal.text.train_tokenizer import train_tokenizer

Array = NDArray[np.float32]

_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "assistant:"
)
_WIDTH, _HIDDEN, _CONTEXT = 32, 32, 512
_SIDE, _PATCH, _TOWER = 28, 14, 32  # of a picture, in pixels; of the tower's states


def write_text_gguf(folder: Path, odds: Mapping[str, float]) -> Path:
    """`odds`: pieces of the vocabulary (a space is written as sentencepiece does) to log odds.

    All other pieces have log odds of 0.
    """
    import gguf

    train_tokenizer(["A B C D E Yes No user: system: assistant:\n"] * 20, 300, folder)
    pieces = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    size = pieces.get_piece_size()
    path = folder / "text.gguf"
    file: Any = gguf.GGUFWriter(path, "llama")
    file.add_context_length(_CONTEXT)
    file.add_embedding_length(_WIDTH)
    file.add_block_count(1)
    file.add_feed_forward_length(_HIDDEN)
    file.add_head_count(2)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_tokenizer_model("llama")
    file.add_token_list([pieces.id_to_piece(i) for i in range(size)])
    file.add_token_scores([pieces.get_score(i) for i in range(size)])
    kinds = gguf.TokenType
    file.add_token_types(
        [
            kinds.BYTE if pieces.is_byte(i)
            else kinds.UNKNOWN if pieces.is_unknown(i)
            else kinds.CONTROL if pieces.is_control(i)
            else kinds.NORMAL
            for i in range(size)
        ]
    )  # fmt: skip
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_chat_template(_TEMPLATE)
    # Every text token is the same state, which nothing changes on its way to the head.
    state = np.ones((size, _WIDTH), np.float32)
    head = np.zeros((size, _WIDTH), np.float32)
    for piece, value in odds.items():
        place = pieces.piece_to_id(piece)
        assert pieces.id_to_piece(place) == piece, f"{piece!r} is no piece"
        head[place] = value / _WIDTH
    tensors: dict[str, Array] = {
        "token_embd": state,
        "output_norm": np.ones(_WIDTH, np.float32),
        "output": head,
    }
    for name in ("attn_norm", "ffn_norm"):
        tensors[f"blk.0.{name}"] = np.ones(_WIDTH, np.float32)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        tensors[f"blk.0.{name}"] = np.zeros((_HIDDEN, _WIDTH), np.float32)
    return _written(file, path, {f"{name}.weight": value for name, value in tensors.items()})


def write_tower_gguf(folder: Path) -> Path:
    """CLIP's tower and LLaVA's projector, with random weights: 4 tokens a picture."""
    import gguf

    path = folder / "mmproj.gguf"
    file: Any = gguf.GGUFWriter(path, "clip")
    file.add_bool("clip.has_vision_encoder", True)
    file.add_string("clip.projector_type", "mlp")
    file.add_uint32("clip.vision.image_size", _SIDE)
    file.add_uint32("clip.vision.patch_size", _PATCH)
    file.add_uint32("clip.vision.embedding_length", _TOWER)
    file.add_uint32("clip.vision.feed_forward_length", 2 * _TOWER)
    file.add_uint32("clip.vision.projection_dim", _WIDTH)
    file.add_uint32("clip.vision.block_count", 1)
    file.add_uint32("clip.vision.attention.head_count", 2)
    file.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    file.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    file.add_array("clip.vision.image_std", [0.25, 0.25, 0.25])
    file.add_bool("clip.use_gelu", True)
    shapes: dict[str, tuple[int, ...]] = {
        "v.patch_embd.weight": (_TOWER, 3, _PATCH, _PATCH),
        "v.class_embd": (_TOWER,),
        "v.position_embd.weight": ((_SIDE // _PATCH) ** 2 + 1, _TOWER),
        "v.blk.0.ffn_down.weight": (_TOWER, 2 * _TOWER),
        "v.blk.0.ffn_down.bias": (_TOWER,),
        "v.blk.0.ffn_up.weight": (2 * _TOWER, _TOWER),
        "v.blk.0.ffn_up.bias": (2 * _TOWER,),
        "mm.0.weight": (_WIDTH, _TOWER),
        "mm.0.bias": (_WIDTH,),
        "mm.2.weight": (_WIDTH, _WIDTH),
        "mm.2.bias": (_WIDTH,),
    }
    for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
        shapes[f"v.blk.0.{name}.weight"] = (_TOWER, _TOWER)
        shapes[f"v.blk.0.{name}.bias"] = (_TOWER,)
    for name in ("v.pre_ln", "v.post_ln", "v.blk.0.ln1", "v.blk.0.ln2"):
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (_TOWER,)
    rng = np.random.default_rng(0)
    return _written(
        file,
        path,
        {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()},
    )


def first_token_log_odds(odds: Mapping[str, float], size: int = 300) -> dict[str, float]:
    """log p of each piece of `odds` as an answer's first token."""
    total = sum(map(math.exp, odds.values())) + size - len(odds)
    return {piece: value - math.log(total) for piece, value in odds.items()}


def _written(file: Any, path: Path, tensors: Mapping[str, Array]) -> Path:
    for name, value in tensors.items():
        file.add_tensor(name, value)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return path
