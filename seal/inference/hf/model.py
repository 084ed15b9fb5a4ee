"""An image-text model with what it reads, and the facts of it that others ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from seal.inference.hf.control_tokens import control_tokens
from seal.inference.hf.families import Family
from seal.inference.hf.pixels import PixelBudget


@dataclass(slots=True)
class HFModel:
    """A model, its processor and how both were loaded."""

    model: Any  # of `AutoModelForImageTextToText`
    processor: Any
    name: str  # folder or hub id
    family: Family
    pixels: PixelBudget
    quantization: str | None = None
    trust_remote_code: bool = False
    revision: str | None = None  # the commit that was loaded, if the hub told
    controls: tuple[str, ...] = field(init=False)  # tokens that no user may write

    def __post_init__(self) -> None:
        self.controls = control_tokens(self.processor)

    @property
    def model_type(self) -> str:
        return str(self.model.config.model_type)

    @property
    def tokenizer(self) -> Any:
        return self.processor.tokenizer

    @property
    def text_config(self) -> Any:
        return self.model.config.get_text_config(decoder=True)

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.model.dtype
        return dtype

    @property
    def device(self) -> torch.device:
        """Where token ids go."""
        device: torch.device = self.model.get_input_embeddings().weight.device
        return device

    @property
    def image_token_id(self) -> int:
        """The id that stands where a picture's features go, of a family known to have one."""
        found = self.known_image_token_id
        assert found is not None, f"{self.name} does not tell its image token"
        return found

    @property
    def known_image_token_id(self) -> int | None:
        """The same of any model; None: neither its config nor its processor tells."""
        config = self.model.config
        for name in ("image_token_id", "image_token_index"):
            if (index := getattr(config, name, None)) is not None:
                return int(index)
        written = getattr(self.processor, "image_token", None)
        if written is None:
            return None
        found = self.tokenizer.convert_tokens_to_ids(str(written))
        # A tokenizer that does not know it has another token for whatever it does not know.
        return None if found is None or found == self.tokenizer.unk_token_id else int(found)

    @property
    def pad_id(self) -> int:
        return int(self.tokenizer.pad_token_id or 0)

    @property
    def end_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""
        told = getattr(self.model.generation_config, "eos_token_id", None)
        ids = told if isinstance(told, list) else [told]
        return frozenset(i for i in [*ids, self.tokenizer.eos_token_id] if i is not None)

    @property
    def context(self) -> int:
        """Positions the language model was made for."""
        return int(getattr(self.text_config, "max_position_embeddings", None) or 1 << 31)

    def settings(self) -> dict[str, Any]:
        """What belongs beside every result of this model."""
        return {
            "model": self.name,
            "revision": self.revision,
            "model_type": self.model_type,
            "dtype": str(self.dtype).removeprefix("torch."),
            "quantization": self.quantization,
            "trust_remote_code": self.trust_remote_code,
            **self.pixels.settings(),
        }
