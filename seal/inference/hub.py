"""Where a model folder is: on this disk, or on the hub."""

from __future__ import annotations

from pathlib import Path


def model_folder(name: str | Path) -> Path:
    """A folder as it is, or a hub id's local copy (downloaded if need be)."""
    if Path(name).is_dir():
        return Path(name)
    if Path(name).exists() or str(name).count("/") != 1 or str(name).startswith((".", "/")):
        raise ValueError(f"{name}: no such model folder (a hub id looks like owner/name)")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(name)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{name}: neither a folder here nor to be had from the hub ({why}); "
            "give the path of a model folder, for example runs/demo/vqa"
        ) from error
