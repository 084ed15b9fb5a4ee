"""A guide's configuration to the guide: every model that it names is loaded once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from seal.endpoint.address import is_endpoint
from seal.inference.answers.protocol import AnswerModel
from seal.inference.guides.composed import ComposedGuide
from seal.inference.guides.config import ANNOTATED, ASK_A_VLM, GuideConfig
from seal.inference.guides.detector_files import TYPES, load_detector
from seal.inference.guides.guide import Guide
from seal.inference.guides.ocr import load_text_reader
from seal.inference.guides.retrieval import load_retriever
from seal.inference.guides.value_source import check_values
from seal.inference.named_models import load_named
from seal.search.oracle import Known, OracleModel

Tell = Callable[[str], None]


def check_read(guide: GuideConfig, vqa: str | Path | None) -> None:
    """Refuse a model that a guide will read and cannot, before it is loaded: one that the guide
    names, or the answer model `vqa`.

    Raises:
        ValueError: see above.
    """
    name = guide.models.get("value_similarity", vqa)
    if "value_similarity" in guide.names and name is not None:
        check_values(name)


def load_guide(
    config: GuideConfig,
    *,
    answer_model: AnswerModel | None = None,
    vsm: Guide | None = None,
    known: Known | None = None,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    quantization: str | None = None,
    max_batch: int | None = None,
    cache_mb: int | None = None,
    tell: Tell | None = None,
) -> ComposedGuide:
    """The guide that `config` describes; only what it names is loaded.

    Args:
        answer_model: what guides that ask a language model ask, unless `config.models` names one.
        vsm: SEAL's search model, loaded (it may share its tower with the answer model), for parts
            that are `seal`.
        known: true boxes of what is sought, for parts that are `annotated`.
        quantization: of language models that are loaded here.
        max_batch: queries in one pass of a network; None: what suits each.
        cache_mb: what each guide may keep of the crops it has seen, on the device; None: the same.

    Raises:
        ValueError: a part lacks its model, with the key that names it; or see `load_named`.
    """
    config.require_models(
        answers=answer_model is not None, vsm=vsm is not None, known=known is not None
    )
    options: dict[str, Any] = {"device": device, "dtype": dtype}
    if max_batch is not None:
        options["max_batch"] = max_batch
    cache = {} if cache_mb is None else {"cache_mb": cache_mb}
    asked: dict[str, AnswerModel] = {}  # by name: two guides may ask one model

    def vlm(guide: str) -> AnswerModel:
        name = config.models.get(guide)
        if name is None:
            assert answer_model is not None  # see `require_models`
            return answer_model
        if guide == "value_similarity":
            check_values(name)
        if name not in asked:
            # A server loads its model itself, and refuses to be told how.
            here = {} if is_endpoint(name) else {"quantization": quantization, **options}
            found, _ = load_named(name, None, tell=tell, **here)
            assert found is not None
            asked[name] = found
        return asked[name]

    guides: dict[str, Any] = {}
    for name in config.names:
        if name == "seal":
            guides[name] = vsm
        elif name == ANNOTATED:
            assert known is not None  # see `require_models`
            numbers = config.annotated
            guides[name] = OracleModel(
                known, min_share=numbers.min_share, min_visible=numbers.min_visible
            )
        elif name in ASK_A_VLM:
            guides[name] = config.ask.build(name, vlm(name), tell)
        else:
            guides[name] = _loaded(name, config.models.get(name), tell, **cache, **options)
    return ComposedGuide(**{part: guides[name] for part, name in config.parts.items()})


def _loaded(name: str, model: str | None, tell: Tell | None, **options: Any) -> Guide:
    """The guide with a network of its own.

    options: device, dtype, max_batch, cache_mb.
    """
    if name == "retrieval":
        assert model is not None  # see `require_models`
        return load_retriever(model, **options)
    if name in TYPES:
        assert model is not None
        return load_detector(name, model, tell=tell, **options)
    assert name == "ocr", f"guide {name} cannot be built"
    return load_text_reader(model)
