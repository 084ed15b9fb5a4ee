"""Model folders on this disk or on the hub, either way."""

from __future__ import annotations

from pathlib import Path

# What CLIP tower the released search model, which holds none, was trained with.
CLIP = "openai/clip-vit-large-patch14"
# Chat templates are *.jinja, merges and vocabularies *.txt; weights of one kind.
WANTED = ["*.json", "*.model", "*.jinja", "*.txt"]

# The trained miniature ships with the package: small models of drawn shapes, `train/base_models`
# and `seal demo` make them anew.
MINIATURE_VQA, MINIATURE_VSM = "miniature/vqa", "miniature/vsm"
_ASSETS = Path(__file__).resolve().parents[1] / "miniature" / "assets"
_SHIPPED = {MINIATURE_VQA: _ASSETS / "vqa", MINIATURE_VSM: _ASSETS / "vsm"}


def is_hub_id(name: str | Path) -> bool:
    """Whether this looks like owner/name and is nothing on this disk."""
    text = str(name)
    if text in _SHIPPED or Path(name).exists():
        return False
    return text.count("/") == 1 and not text.startswith((".", "/"))


def local_folder(name: str | Path) -> Path | None:
    """The folder of that name, or the one that ships with the package; None: neither."""
    return Path(name) if Path(name).is_dir() else _SHIPPED.get(str(name))


def model_folder(name: str | Path) -> Path:
    """A folder as it is, one that ships with the package (`miniature/vqa`, `miniature/vsm`), or a
    hub id's local copy (downloaded if need be).

    Raises:
        ValueError: it is neither; with what the hub said.
    """
    here = local_folder(name)
    if here is not None:
        return here
    if not is_hub_id(name):
        raise ValueError(f"{name}: no such model folder (a hub id looks like owner/name)")
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(str(name), allow_patterns=[*WANTED, "*.safetensors"]))
        if not any(folder.glob("*.safetensors")):  # else they hold the same weights once more
            folder = Path(snapshot_download(str(name), allow_patterns=[*WANTED, "*.bin"]))
    except Exception as error:  # of a connection: those of the client's HTTP library, which varies
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{name}: neither a folder here nor to be had from the hub ({why}); "
            "give the path of a model folder, for example runs/demo/vqa"
        ) from error
    return folder


def upload_folder(folder: Path | str, name: str, *, private: bool = True) -> str:
    """Put a model folder on the hub as `name` (made if it is not there); returns its address.

    Only what belongs to a model folder goes. The token is the one `hf auth login` stored, or that
    of the environment.

    Raises:
        ValueError: no model folder, no right to write there, or no connection.
    """
    from huggingface_hub import HfApi

    from seal.models.files.save import require_model_folder

    require_model_folder(Path(folder))
    api = HfApi()
    try:
        api.create_repo(name, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=name, folder_path=str(folder), commit_message="Upload a model folder of seal"
        )
    except Exception as error:  # see `model_folder`
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{folder} could not be uploaded to {name}: {why}; log in with `hf auth login`, with a "
            "token that may write there"
        ) from error
    return str(done)
