"""Whatever names an answer model and a search model to what the pipeline talks to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from seal.inference.answers.chat_options import ChatOptions
from seal.inference.answers.protocol import AnswerModel
from seal.inference.answers.seal_vqa import require_shown
from seal.inference.answers.showing import Showing
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.inference.hub import model_folder
from seal.inference.load import load_models
from seal.inference.model_kinds import Kind, model_kind
from seal.models.files.load import read_config
from seal.models.vqa import VQAModelConfig

_KINDS: dict[Kind, str] = {
    "seal": "SEAL's own VQA LLM, which is loaded and shown things in one way",
    "hf": "a model that is loaded here",
    "endpoint": "a server, which loads its model itself",
}


HF_ROWS = 16  # in one pass of an image-text model that is not ours, unless it is told


def check_shown(name: str | Path, words: Sequence[str]) -> None:
    """Refuse, before anything is loaded, ways of showing pictures that an answer model has not.

    words: as of `Showing`.

    Raises:
        ValueError: in one line, with what the model can do.
    """
    if not words:
        return
    kind = model_kind(name)
    if kind != "seal":
        raise ValueError(
            f"{name} is {_KINDS[kind]}: it shows pictures in its own way, not as "
            f"{', '.join(words)}; leave out granularity= and what stands behind @"
        )
    config = read_config(model_folder(name))
    if isinstance(config, VQAModelConfig):  # loading tells that another model is none
        for word in words:
            require_shown(config, Showing.read(word), str(name))


def load_named(
    vqa: str | Path | None,
    vsm: str | Path | None,
    *,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    quantization: str | None = None,
    chat: ChatOptions | None = None,
    max_batch: int | None = None,
    tell: Callable[[str], None] | None = None,
    **own: Any,
) -> tuple[AnswerModel | None, NetworkSearchModel | None]:
    """Both models, or the one that is named.

    Args:
        vqa: SEAL's VQA LLM (folder or hub id), any image-text model of the hub or in a folder, or
            a server's address, http://HOST:PORT/v1#MODEL.
        vsm: SEAL's search model.
        chat: of an answer model that is not SEAL's.
        max_batch: rows, or queries, in one pass; None: what suits each model.
        own: what only models of this project take; see `load_models`.

    Raises:
        ValueError: see `load_models`; or what is given and the answer model has no use for.
    """
    shared: dict[str, Any] = {"device": device, "dtype": dtype, "quantization": quantization}
    kind = "seal" if vqa is None else model_kind(vqa)
    chat = chat or ChatOptions()
    useless = chat.unused(kind)
    if kind != "seal" and own.get("granularity") is not None:
        useless.append("granularity")
    if vsm is None and kind != "seal":
        loading = {"offload": own.get("offload") or None, "clip": own.get("clip")}
        if kind == "endpoint":
            loading |= {"dtype": dtype, "quantization": quantization}
        useless += [name for name, value in loading.items() if value is not None]
    if useless and vqa is not None:
        raise ValueError(f"{vqa} is {_KINDS[kind]}: leave out {', '.join(useless)}")
    if kind == "seal":
        one, other = (None if name is None else model_folder(name) for name in (vqa, vsm))
        return load_models(one, other, max_batch=max_batch, tell=tell, **shared, **own)
    assert vqa is not None
    answers: AnswerModel
    if kind == "endpoint":
        from seal.inference.answers.endpoint import EndpointAnswerModel
        from seal.inference.answers.endpoint_config import EndpointConfig

        config = EndpointConfig(
            layout=chat.layout,
            max_pixels=chat.max_pixels,
            api_key_env=chat.api_key_env,
            concurrency=chat.concurrency,
            timeout=chat.timeout,
            temperature=chat.temperature,
            top_logprobs=chat.top_logprobs,
            extra=chat.extra,
            check_vision=chat.check_vision,
        )
        answers = EndpointAnswerModel.from_address(str(vqa), config, tell=tell)
    else:
        from seal.inference.answers.hf import HFAnswerModel

        answers = HFAnswerModel.from_pretrained(
            str(vqa),
            layout=chat.layout,
            min_pixels=chat.min_pixels,
            max_pixels=chat.max_pixels,
            device_map=chat.device_map,
            revision=chat.revision,
            trust_remote_code=chat.trust_remote_code,
            max_batch=max_batch or HF_ROWS,
            tell=tell,
            **shared,
        )
    if vsm is None:
        return answers, None
    _, search = load_models(
        None, model_folder(vsm), max_batch=max_batch, tell=tell, **shared, **own
    )
    return answers, search
