"""How lmms-eval finds SEAL: the payload of the entry point `lmms_eval.models`."""

from __future__ import annotations

from typing import Any

_CLASSES = "seal.evaluation.harness.lmms_eval"


def manifest() -> Any:
    """A `ModelManifest` of lmms-eval's: `--model seal`, or `--model vstar`.

    lmms-eval calls this while it is imported itself, so no more of it than its registry is read.
    """
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(
        model_id="seal",
        chat_class_path=f"{_CLASSES}.SealChat",
        simple_class_path=f"{_CLASSES}.SealSimple",
        aliases=("vstar",),
    )
