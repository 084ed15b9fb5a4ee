"""What the name of an answer model stands for: a model of this project, a server, or any other."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from seal.endpoint.address import is_endpoint
from seal.files.fingerprint import fingerprint
from seal.inference.hub import is_hub_id, local_folder, model_folder
from seal.models.files.adapter import is_adapter
from seal.models.files.authors import is_authors
from seal.models.files.model_config import CONFIG_FILE, read_config_file, read_json_object
from seal.text.quote import quoted

Kind: TypeAlias = Literal["seal", "endpoint", "hf"]


def model_kind(name: str | Path) -> Kind:
    """`endpoint`: an address; `seal`: a folder or hub id in our layout, the one of SEAL's or
    AVG-LLaVA's authors, or with our adapters; `hf`: any other model of the hub or of a folder,
    which transformers must know.

    Of a hub id its config.json is fetched, nothing else.

    Raises:
        ValueError: no name, no such folder, or a config.json that cannot be read.
    """
    if not isinstance(name, str | Path) or not str(name):
        raise ValueError(
            f"the answer model is named by a folder, a hub id or an address, not {quoted(name)}"
        )
    if is_endpoint(str(name)):
        return "endpoint"
    content = _config(name)
    # Where nothing is to be had, `model_folder` tells what is the matter, or finds adapters.
    return "seal" if not content or "model_class" in content or is_authors(content) else "hf"


def model_type(name: str | Path) -> str:
    """What a model of kind `hf` is to transformers, by its config.json; "" where that is silent."""
    return str((_config(name) or {}).get("model_type", ""))


def answer_model_identity(name: str | Path, revision: str | None = None) -> str:
    """What tells two answer models apart, without loading one; for results.

    A hash of a folder's files, a commit of the hub, or a server's address and model.
    """
    kind = model_kind(name)
    if kind == "endpoint":
        return str(name)
    if kind == "seal" or local_folder(name) is not None:
        return fingerprint(model_folder(name))
    fetched = _config_of_hub(str(name), revision)
    # The hub's cache is laid out as models--OWNER--NAME/snapshots/COMMIT/config.json.
    return f"{name}@{fetched.parent.name if fetched is not None else revision}"


def _config(name: str | Path) -> dict[str, Any] | None:
    folder = local_folder(name)
    if folder is not None:
        return None if is_adapter(folder) else read_config_file(folder)
    fetched = _config_of_hub(str(name)) if is_hub_id(name) else None
    return None if fetched is None else read_json_object(fetched)


def _config_of_hub(name: str, revision: str | None = None) -> Path | None:
    try:
        return _fetched(name, revision)
    except Exception:  # of a connection: those of the client's HTTP library, which varies
        return None


@cache  # one run asks several times; what failed is tried again
def _fetched(name: str, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(name, CONFIG_FILE, revision=revision))
