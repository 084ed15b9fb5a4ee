"""Which language model: any of several families of decoders, every size of it in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

from seal.files.plain_text import read_json_file
from seal.models.parts.packed_attention import ATTENTION
from seal.models.parts.sizes import require_multiple

# `model_type` of each family, and what its configuration says beside the sizes all of them have.
# A family belongs here once tests/seal/models/parts/test_llm.py holds for it.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": None},
    "qwen2": {},
    "qwen3": {},
    "smollm3": {},
    "olmo2": {},
    "phi3": {},
}
_BIASED = ("llama", "qwen3", "smollm3", "olmo2")  # whose configuration has attention_bias
# Kinds whose frequencies do not depend on what else is in the batch, as "dynamic" ones do.
# Each with the settings it needs.
_ROPE_TYPES = {
    "default": (),
    "linear": ("factor",),
    "llama3": (
        "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"
    ),
    "yarn": ("factor",),
}  # fmt: skip
# Settings of a family that change what is computed and have no field here: the family's own value.
_FIXED = ("hidden_act", "mlp_bias", "attention_bias", "no_rope_layers", "num_key_value_heads")


@dataclass(kw_only=True, slots=True)
class LlmConfig:
    """Sizes of the language model; the defaults are Vicuna's, 7B."""

    architecture: str = "llama"  # one of ARCHITECTURES
    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int = 0  # each serves a group of heads; 0: one of them each
    head_size: int = 0  # 0: hidden_size / num_attention_heads
    max_position_embeddings: int = 4096
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    # As in Hugging Face's config.json: rope_type, factor, ... of positions beyond the pretraining's
    rope_scaling: dict[str, Any] = field(default_factory=dict)
    attention_bias: bool = False  # of the attention's matrices; qwen2 always has its own
    tie_word_embeddings: bool = False  # the LM head is the word embeddings
    bos_token_id: int = 1
    eos_token_id: int = 2  # a tokenizer may name more ends of an answer

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ValueError(
                f"architecture={self.architecture!r} is none of {', '.join(ARCHITECTURES)}: take a "
                "language model of one of these families"
            )
        if self.attention_bias and self.architecture not in _BIASED:
            raise ValueError(
                f"attention_bias=true is of {', '.join(_BIASED)}, not of {self.architecture}: set "
                "it to false"
            )
        groups = "num_key_value_heads" if self.num_key_value_heads else "num_attention_heads"
        require_multiple(self, "num_attention_heads", groups)
        if not self.head_size:
            require_multiple(self, "hidden_size", "num_attention_heads")
        if self.head_width % 2:
            raise ValueError(
                f"head_size={self.head_width} is odd: positions turn pairs of features"
            )
        # One way to write each: what follows from the rest stays open, so that it goes on to.
        if self.num_key_value_heads == self.num_attention_heads:
            self.num_key_value_heads = 0
        if self.head_size * self.num_attention_heads == self.hidden_size:
            self.head_size = 0
        self._check_rope()

    def _check_rope(self) -> None:
        scaling = self.rope_scaling = {} if self.rope_scaling is None else self.rope_scaling
        if not isinstance(scaling, dict):
            raise ValueError(f"rope_scaling is {str(scaling)[:100]!r}, not settings")
        kind = scaling.get("rope_type", "default")
        if not isinstance(kind, str) or kind not in _ROPE_TYPES:
            raise ValueError(
                f"rope_scaling.rope_type={str(kind)[:100]!r} is none of {', '.join(_ROPE_TYPES)}: "
                "one row would depend on the length of the others"
            )
        for key in (*_ROPE_TYPES[kind], *(key for key in scaling if key != "rope_type")):
            if not isinstance(scaling.get(key), int | float):
                raise ValueError(
                    f"rope_scaling.{key}={scaling.get(key)!r} of rope_type={kind}: not a number"
                )

    @property
    def key_value_heads(self) -> int:
        """Heads that have keys and values."""
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def head_width(self) -> int:
        """Features of a head."""
        return self.head_size or self.hidden_size // self.num_attention_heads

    @classmethod
    def of(cls, folder: Path | str) -> LlmConfig:
        """The sizes in a Hugging Face folder's config.json.

        A model that sees a window of positions is one of so many positions at most.

        Raises:
            ValueError: it is of another architecture, or has a setting that is not supported.
        """
        path = Path(folder) / "config.json"
        content = read_json_file(path)
        if not isinstance(content, dict):
            raise ValueError(f"{path}: expected an object of settings")
        kind = content.get("model_type", "llama")
        if kind in ("llava", "llava_search", "llava_llama") and "text_config" not in content:
            kind = "llama"  # LLaVA's own files and SEAL's: a LLaMA's settings, with more beside
        if kind not in ARCHITECTURES:
            raise ValueError(
                f"{path}: model_type={kind!r} is none of {', '.join(ARCHITECTURES)}: take a "
                "language model of one of these families"
            )
        settings = {key: value for key, value in content.items() if key != "model_type"}
        try:
            return _from_hf(cls, CONFIG_MAPPING[kind].from_dict(settings))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"{path}: {error}") from error
        except StrictDataclassError as error:  # transformers' own check of a value's type
            raise ValueError(f"{path}: {' '.join(str(error).split())}") from error

    def hf_config(self) -> Any:
        """The family's own configuration, a new one in each call."""
        return AutoConfig.for_model(
            self.architecture,
            vocab_size=self.vocab_size,
            hidden_size=self.hidden_size,
            intermediate_size=self.intermediate_size,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            num_key_value_heads=self.key_value_heads,
            head_dim=self.head_width,
            max_position_embeddings=self.max_position_embeddings,
            rms_norm_eps=self.rms_norm_eps,
            rope_parameters={
                "rope_type": "default", **self.rope_scaling, "rope_theta": self.rope_theta
            },
            bos_token_id=self.bos_token_id,
            eos_token_id=self.eos_token_id,
            pad_token_id=None,  # or the embedding of that id would never learn
            tie_word_embeddings=self.tie_word_embeddings,
            attn_implementation=ATTENTION,
            **({"attention_bias": self.attention_bias} if self.architecture in _BIASED else {}),
            **ARCHITECTURES[self.architecture],
        )  # fmt: skip

    def build(self) -> Any:
        """The family's model with an LM head, weights drawn from torch's generator."""
        config = self.hf_config()
        made: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
        return made(config)


def _from_hf(kind: type[LlmConfig], told: Any) -> LlmConfig:
    rope = dict(told.rope_parameters)
    theta = rope.pop("rope_theta")
    rope.pop("type", None)  # the old name of rope_type
    if rope.get("partial_rotary_factor") == 1:
        del rope["partial_rotary_factor"]
    ends = told.eos_token_id if isinstance(told.eos_token_id, list) else [told.eos_token_id]
    if not ends or ends[0] is None:
        raise ValueError("there is no eos_token_id: write the id that ends an answer there")
    window = getattr(told, "sliding_window", None)
    positions = told.max_position_embeddings
    config = kind(
        architecture=told.model_type,
        vocab_size=told.vocab_size,
        hidden_size=told.hidden_size,
        intermediate_size=told.intermediate_size,
        num_hidden_layers=told.num_hidden_layers,
        num_attention_heads=told.num_attention_heads,
        num_key_value_heads=told.num_key_value_heads,
        head_size=getattr(told, "head_dim", None) or 0,
        max_position_embeddings=min(positions, window) if window else positions,
        rms_norm_eps=told.rms_norm_eps,
        rope_theta=float(theta),
        rope_scaling={} if rope == {"rope_type": "default"} else rope,
        attention_bias=getattr(told, "attention_bias", False),
        tie_word_embeddings=told.tie_word_embeddings,
        bos_token_id=ends[0] if told.bos_token_id is None else told.bos_token_id,
        eos_token_id=ends[0],
    )
    ours = config.hf_config()
    for key in _FIXED:
        if hasattr(ours, key) and getattr(told, key) != getattr(ours, key):
            raise ValueError(
                f"{key}={getattr(told, key)} is not supported, {getattr(ours, key)} is: take "
                "another language model"
            )
    return config
