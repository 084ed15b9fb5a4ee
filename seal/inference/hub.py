"""Model folders on this disk or on the hub, either way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from huggingface_hub import HfApi

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

    Only what belongs to a model folder goes: training.json without the folders of this machine, and
    a model card, unless somebody has written one, here or there. The token is the one that
    `hf auth login` stored, or that of the environment.

    Raises:
        ValueError: no model folder, no right to write there, or no connection.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    from seal.models.files.model_card import CARD_FILE
    from seal.models.files.save import require_model_folder

    folder = Path(folder)
    require_model_folder(folder)
    files: dict[str, str | bytes] = {path.name: str(path) for path in sorted(folder.iterdir())}
    content = files | _for_others(folder, name)
    api = HfApi()
    try:
        api.create_repo(name, private=private, exist_ok=True)
        if _has_own_card(api, name):
            del content[CARD_FILE]
        done = api.create_commit(
            repo_id=name,
            operations=[
                CommitOperationAdd(path_in_repo=path, path_or_fileobj=of)
                for path, of in content.items()
            ],
            commit_message="Upload a model folder of seal",
        )
    except Exception as error:  # see `model_folder`
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{folder} could not be uploaded to {name}: {why}; log in with `hf auth login`, with a "
            "token that may write there"
        ) from error
    return str(done)


def _for_others(folder: Path, name: str) -> dict[str, bytes]:
    """What is uploaded in place of files of the folder."""
    import json

    from seal.files.fingerprint import TRAINING_FILE
    from seal.models.files.model_card import CARD_FILE, folder_card, own_card, public_facts

    sent = {CARD_FILE: own_card(folder) or folder_card(folder, name).encode()}
    facts = folder / TRAINING_FILE
    if facts.is_file():
        public = public_facts(json.loads(facts.read_text(encoding="utf-8")))
        sent[TRAINING_FILE] = (json.dumps(public, indent=2) + "\n").encode()
    return sent


def _has_own_card(api: HfApi, name: str) -> bool:
    """Whether the hub has a card that somebody wrote there."""
    from tempfile import TemporaryDirectory

    from huggingface_hub.errors import RemoteEntryNotFoundError

    from seal.models.files.model_card import CARD_FILE, own_card

    with TemporaryDirectory() as place:
        try:
            api.hf_hub_download(name, CARD_FILE, local_dir=place)
        except RemoteEntryNotFoundError:
            return False
        return own_card(Path(place)) is not None
