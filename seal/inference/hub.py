"""Where a model folder is: on this disk, or on the hub."""

from __future__ import annotations

import json
from pathlib import Path


def model_folder(name: str | Path) -> Path:
    """A folder as it is, or a hub id's local copy (downloaded if need be)."""
    if Path(name).is_dir():
        return Path(name)
    if Path(name).exists() or str(name).count("/") != 1 or str(name).startswith((".", "/")):
        raise ValueError(f"{name}: no such model folder (a hub id looks like owner/name)")
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        # First of all: what is not ours would be refused after its gigabytes of weights.
        _refuse_authors(str(name), Path(hf_hub_download(str(name), "config.json")))
        return Path(snapshot_download(str(name)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{name}: neither a folder here nor to be had from the hub ({why}); "
            "give the path of a model folder, for example runs/demo/vqa"
        ) from error


def _refuse_authors(name: str, config_file: Path) -> None:
    from seal.models.load import conversion

    here = name.partition("/")[2]
    command = conversion(json.loads(config_file.read_text(encoding="utf-8")), here)
    if command is not None:
        raise ValueError(
            f"{name} is in the authors' layout and has to be converted once: "
            f"hf download {name} --local-dir {here} && {command}; then give the folder after out="
        )
