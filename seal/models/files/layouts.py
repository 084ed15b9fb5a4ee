"""The layouts of others' checkpoints: how each is known, and what is called what in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from seal.models.files.checkpoint_table import VQA_NAMES, VSM_NAMES
from seal.models.files.layout_llava import LLAVA_TYPE, llava_names, read_llava, write_llava
from seal.models.files.layout_seal import VQA_TYPE, VSM_TYPE, read_vqa, read_vsm, write_seal
from seal.models.files.shards import StoredTensor
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig

Config: TypeAlias = VQAModelConfig | VSMModelConfig


@dataclass(frozen=True, slots=True)
class Layout:
    """One of them."""

    # config.json, the language model's sizes and the tensors of the file -> our configuration
    read: Callable[[Mapping[str, Any], LlmConfig, Mapping[str, StoredTensor]], Config]
    write: Callable[[Any], dict[str, Any]]  # the way back; a ValueError tells what has no place
    names: Callable[[Any], dict[str, str]]  # rules of `rename` for a model of a configuration
    tower: bool = True  # the tower is in the file, too
    frequencies: bool = True  # rotary frequencies are in the file: of old versions of transformers


VQA = Layout(read_vqa, write_seal, lambda config: VQA_NAMES)
VSM = Layout(read_vsm, write_seal, lambda config: VSM_NAMES, tower=False)
LLAVA = Layout(read_llava, write_llava, llava_names, frequencies=False)
# Of config.json: LLaVA's own, which had the type of SEAL's search model for some time.
_LLAVA_MARKS = {"mm_projector_type", "mm_patch_merge_type"}


def layout_of_content(content: Mapping[str, Any]) -> Layout | None:
    """The layout that a config.json is of; None: ours, or of no kind known here.

    transformers' own LLaVA has a type of theirs.
    """
    if "model_class" in content or "text_config" in content:
        return None
    kind = content.get("model_type")
    if kind == VSM_TYPE and _LLAVA_MARKS & content.keys() and "out_dim" not in content:
        return LLAVA
    return {VQA_TYPE: VQA, VSM_TYPE: VSM, LLAVA_TYPE: LLAVA}.get(str(kind))


def layout_of(config: Config) -> Layout:
    """The layout that a model of `config` is written in."""
    if isinstance(config, VSMModelConfig):
        return VSM
    return LLAVA if config.resampler is None else VQA
