"""Where what is dear to make again is kept between builds: answers of language models, features."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$SEAL_CACHE`, or a folder of the user's; made by whoever writes there."""
    if named := os.environ.get("SEAL_CACHE"):
        return Path(named)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "seal"
    return Path.home() / ".cache" / "seal"
