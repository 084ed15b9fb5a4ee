"""Model folders to what the pipeline talks to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.answers.showing import ROUTER, read_granularity
from seal.inference.device import existing_device, free_bytes
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.inference.hub import CLIP, model_folder
from seal.models.files.load import has_tower, load_model, read_config, stored_dtype
from seal.models.files.model_config import MODEL_CLASSES
from seal.models.files.tokenizer_fit import require_tokenizer_fits
from seal.models.fit.batches import fitting_passes
from seal.models.fit.memory import GIB, Need, Setting, expected_need, least_offload, need_lines
from seal.models.parts.vision import VisionTower
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig
from seal.text.tokenize import Tokenizer, load_tokenizer

AUTO = "auto"  # offload just what does not fit
Configs = Mapping[Path, VQAModelConfig | VSMModelConfig]


def load_models(
    vqa: Path | None,
    vsm: Path | None,
    *,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    quantization: str | None = None,
    offload: int | str = 0,
    clip: str | Path | None = None,
    no_search_image: str = "padded",
    token_policy: str | None = None,
    granularity: str | int | None = None,
    max_batch: int | None = None,
    cache_mb: int | None = None,
    cue_prefix: Literal["forced", "free"] = "forced",
    graphs: bool = False,
    tell: Callable[[str], None] | None = None,
) -> tuple[NetworkAnswerModel | None, NetworkSearchModel | None]:
    """The VQA LLM and the search model in two folders, or the one that is named.

    Towers with the same weights become one object.

    Args:
        device: None is the first GPU if there is one.
        dtype: None is the files' own, float32 on a CPU.
        quantization: "int8" or "nf4", of the language models' blocks.
        offload: blocks of each language model that stay on the host; "auto": as many as it takes.
        clip: folder or hub id of CLIP, for a model that holds no tower; None: a search model takes
            the VQA LLM's, and else it is the hub's CLIP ViT-L/14.
        token_policy: which projector serves what; None: as the VQA LLM was trained, as is one that
            was trained for a router, which no other policy is a quirk of.
        granularity: how finely it reads pictures, "auto" or a level; see `Showing`.
        max_batch: queries, or rows, in one pass; None: what fits beside the models.
        cache_mb: what the search keeps of crops, on the device; None: a share of what is free.
        cue_prefix, graphs: as of `NetworkSearchModel`.
        tell: is told what memory it will take, before anything is loaded, and what is left is used
            for, once it is; None: the log.

    Raises:
        ValueError: a folder holds no model or another one, or not its tokenizer; there is no such
            device; it will not fit the device, with what would.
    """
    device = existing_device(device)
    configs: dict[Path, VQAModelConfig | VSMModelConfig] = {}
    for folder, kind, name in (
        (vqa, VQAModelConfig, "a VQA LLM"), (vsm, VSMModelConfig, "a search model"),
    ):  # fmt: skip
        if folder is not None:
            configs[folder] = config = read_config(folder)
            if not isinstance(config, kind):
                there = next(n for n, of in MODEL_CLASSES.items() if isinstance(config, of))
                raise ValueError(f"{folder} holds a {there}, not {name}")
    setting = Setting(_dtype(configs, device, dtype), quantization)
    setting = _planned(configs, setting, device, offload, cache_mb, tell)
    options: dict[str, Any] = {
        "device": device, "dtype": dtype, "quantization": quantization, "offload": setting.offload,
    }  # fmt: skip
    answering: VQAModel | None = None
    searching: VSM | None = None
    if vqa is not None:
        tower = None
        if not has_tower(vqa):
            tower = model_folder(clip or CLIP + "-336" * (configs[vqa].vision.image_size == 336))
        loaded = load_model(vqa, clip=tower, **options)
        assert isinstance(loaded, VQAModel)
        answering = loaded
    if vsm is not None:
        loaded = load_model(vsm, clip=_tower_for(vsm, answering, clip), **options)
        assert isinstance(loaded, VSM)
        searching = loaded
        if answering is not None:
            share_tower(answering, searching)
    passes = fitting_passes(
        None if answering is None else answering.config,
        None if searching is None else searching.config,
        setting,
        free_bytes(device),
        on_gpu=torch.device(device).type == "cuda",
        max_batch=max_batch,
        cache_mb=cache_mb,
    )
    answers: NetworkAnswerModel | None = None
    search: NetworkSearchModel | None = None
    used: list[str] = []
    if vsm is not None and searching is not None:
        search = NetworkSearchModel(
            searching,
            _tokenizer(vsm, searching),
            max_batch=passes.queries,
            cache_mb=passes.cache_mb,
            cue_prefix=cue_prefix,
            graphs=graphs,
        )
        used.append(
            f"{passes.queries} queries of a search ({passes.cache_mb} MiB for crops, "
            f"room for {search.concurrency} searches side by side)"
        )
    if vqa is not None and answering is not None:
        answers = NetworkAnswerModel(
            answering,
            _tokenizer(vqa, answering),
            no_search_image=no_search_image,
            token_policy=None if answering.config.token_policy == ROUTER else token_policy,
            granularity=read_granularity(granularity),
            max_batch=passes.rows,
        )
        used.append(f"{passes.rows} rows of an answer")
    (tell or _log)(f"in one pass: {', '.join(used)}")
    return answers, search


def load_answer_model(folder: Path, **options: Any) -> NetworkAnswerModel:
    """The VQA LLM in `folder`; options as of `load_models`."""
    answers, _ = load_models(folder, None, **options)
    assert answers is not None
    return answers


def load_search_model(folder: Path, **options: Any) -> NetworkSearchModel:
    """The search model in `folder`; options as of `load_models`."""
    _, search = load_models(None, folder, **options)
    assert search is not None
    return search


def share_tower(vqa: VQAModel, vsm: VSM) -> bool:
    """Make both read one CLIP tower if theirs hold the same weights; whether they do."""
    one, other = vqa.vision_tower, vsm.vision_tower
    if one is other:
        return True
    if one.config != other.config:
        return False
    ours, theirs = one.state_dict(), other.state_dict()
    same = all(
        value.dtype == theirs[key].dtype
        and value.device == theirs[key].device
        and torch.equal(value, theirs[key])
        for key, value in ours.items()
    )
    if same:
        vsm.vision_tower = one
    return same


def _tokenizer(folder: Path, model: VQAModel | VSM) -> Tokenizer:
    """The tokenizer beside a model, refused if it does not fit it."""
    tokenizer = load_tokenizer(folder)
    require_tokenizer_fits(tokenizer, model.config)
    return tokenizer


def _tower_for(
    vsm: Path, answering: VQAModel | None, clip: str | Path | None
) -> VisionTower | Path | None:
    """The tower of a search model without one: `clip`, else that of the VQA LLM, else the hub's.

    The released ones were both trained with the same tower, frozen, which is in the VQA LLM's file.
    """
    if has_tower(vsm):
        return None
    if clip is not None:
        return model_folder(clip)
    wanted = read_config(vsm).vision
    if answering is not None and answering.config.vision == wanted:
        return answering.vision_tower
    return model_folder(CLIP)


def _dtype(configs: Configs, device: str, dtype: torch.dtype | None) -> torch.dtype:
    if dtype is not None:
        return dtype
    if torch.device(device).type == "cpu":
        return torch.float32
    return max((stored_dtype(folder) for folder in configs), key=lambda found: found.itemsize)


def _planned(
    configs: Configs,
    setting: Setting,
    device: str,
    offload: int | str,
    cache_mb: int | None,
    tell: Callable[[str], None] | None,
) -> Setting:
    """The setting with its offload decided, once what it needs has been told and checked."""
    sizes = list(configs.values())
    shared = len(sizes) > 1 and sizes[0].vision == sizes[1].vision
    options: dict[str, Any] = {"shared_tower": shared}
    if cache_mb is not None:
        options["cache_mb"] = cache_mb
    free = free_bytes(device)
    if offload == AUTO:
        blocks = 0
        if setting.quantization is None and torch.device(device).type == "cuda":
            blocks = least_offload(sizes, setting, free, **options)
        setting = Setting(setting.dtype, setting.quantization, blocks)
    elif isinstance(offload, int):
        setting = Setting(setting.dtype, setting.quantization, offload)
    else:
        raise ValueError(f"offload={offload!r}: a number of blocks, or {AUTO}")
    need = expected_need(sizes, setting, **options)
    for line in need_lines(need, setting, free):
        (tell or _log)(line)
    on_cpu = torch.device(device).type == "cpu"
    # On a CPU, weights in the files' own type are read from the files page by page.
    copied = setting.quantization is not None or any(
        stored_dtype(folder) != setting.dtype for folder in configs
    )
    if need.weights > free and (copied or not on_cpu):
        raise ValueError(_too_large(need, sizes, setting, free, device, options))
    return setting


def _log(line: str) -> None:
    logging.getLogger(__name__).info(line)


def _too_large(
    need: Need,
    sizes: list[VQAModelConfig | VSMModelConfig],
    setting: Setting,
    free: int,
    device: str,
    options: dict[str, Any],
) -> str:
    ways = []
    for quantization in ("int8", "nf4"):
        tried = Setting(setting.dtype, quantization)
        total = expected_need(sizes, tried, **options).total
        if total < free:
            ways.append(f"quantization={quantization} ({total / GIB:.1f} GiB)")
    if torch.device(device).type == "cuda" and setting.quantization is None:
        ways.append(f"offload={AUTO} (slow)")
    elif setting.dtype == torch.float32:
        ways.append("dtype=bfloat16")
    way = " or ".join(ways) or "a larger device"
    return (
        f"the weights in {setting} are {need.weights / GIB:.1f} GiB, and {free / GIB:.1f} GiB are "
        f"free on {device}: use {way}"
    )
