"""Whether ViCrop can read an answer model, told before the model is loaded."""

from __future__ import annotations

from pathlib import Path

from seal.inference.model_kinds import model_kind, model_type
from seal.inference.vicrop.default_layers import family_defaults


def check_readable(vqa: str | Path) -> None:
    """Refuse a name whose model shows no attention, or of whose family nothing is known.

    Raises:
        ValueError: see above.
    """
    kind = model_kind(vqa)
    if kind == "endpoint":
        raise ValueError(
            f"ViCrop reads an answer model's own attention, which {vqa} does not show, for a "
            "server never does: load the model here, for example vqa=Qwen/Qwen3-VL-8B-Instruct, "
            "or choose another search"
        )
    if kind == "hf":
        family_defaults(model_type(vqa))
