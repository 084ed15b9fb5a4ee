"""Which model folders hold miniatures, that know nothing but their drawn world."""

from __future__ import annotations

import json
from pathlib import Path

from seal.inference.hub import local_folder

_CONFIG = "config.json"
_PRESET = "miniature"  # how the presets of miniatures end, as `vqa_miniature`


def knows_drawn_only(model: str | Path | None) -> bool:
    """Whether a folder, or a model that ships with the package, is of a miniature's sizes.

    Its config.json says so, not its name. What is no folder of ours is none.
    """
    folder = None if model is None else local_folder(model)
    if folder is None:
        return False
    try:
        config = json.loads((folder / _CONFIG).read_text())
    except (OSError, ValueError):
        return False  # whoever loads it says what is wrong
    preset = config.get("preset") if isinstance(config, dict) else None
    return isinstance(preset, str) and preset.endswith(_PRESET)
