"""An adapter folder: low-rank adapters as peft keeps them, and what was trained beside them.

    adapter_config.json         peft's: rank, alpha, dropout, targets, base model
    adapter_model.safetensors   the adapters; embeddings and LM head, whole, if they were trained
    heads.safetensors           projectors, heads and decoders, which peft has no place for
    training.json               what was trained on what, and which base model it needs

`peft.PeftModel.from_pretrained(llama, folder)` reads the first two. The base model is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from seal.files.fingerprint import TRAINING_FILE
from seal.files.whole import follow_umask
from seal.models.files.model_config import config_from_dict, read_json_object
from seal.models.files.save import replace_folder, require_tokenizer, write_json
from seal.models.files.shards import StoredTensor, list_file
from seal.models.fit.lora import LoraConfig
from seal.models.fit.quantize import quiet_bitsandbytes
from seal.models.vlm import EMBEDDINGS, HEAD
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.text.tokenizer_files import TOKENIZER_FILES, copy_tokenizer

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
HEADS_FILE = "heads.safetensors"
_OURS, _THEIRS = "llm.", "base_model.model."  # the language model; peft's name of what it wraps
# Settings of peft that change what the tensors mean; other values than these are not understood.
_PLAIN: dict[str, Any] = {
    "peft_type": "LORA", "bias": "none", "use_rslora": False, "use_dora": False,
    "rank_pattern": {}, "alpha_pattern": {}, "layers_to_transform": None, "lora_bias": False,
    "trainable_token_indices": None, "target_parameters": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Adapter:
    """What an adapter folder holds; of the tensors, where they lie."""

    folder: Path
    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]
    base: str | None  # the folder it was trained over, as it was named then
    base_fingerprint: str | None  # of that folder's content; None: not written here
    model: VQAModelConfig | VSMModelConfig | None  # sizes and token policy; None: the base model's
    stored: dict[str, StoredTensor]  # by the names of a model that has adapters

    def config(self) -> LoraConfig:
        """The adapters that take these tensors."""
        return LoraConfig(
            rank=self.rank, alpha=self.alpha, dropout=self.dropout, targets=list(self.targets)
        )


def is_adapter(folder: Path | str) -> bool:
    """Whether this is an adapter folder, not a model folder."""
    return (Path(folder) / CONFIG_FILE).is_file()


def write_adapter(
    folder: Path,
    tensors: Mapping[str, Tensor],
    config: LoraConfig,
    *,
    base: str,
    tokenizer_folder: Path,
    facts: dict[str, Any],
    tied: bool = False,
) -> None:
    """Write `folder` under a temporary name and rename it: it is complete or absent.

    Args:
        tensors: what was trained, by the names of a model that has adapters.
        base: the folder of the base model.
        facts: training.json; `base` says which content that folder has, `model` is config.json of
            the merged model.
        tied: the LM head of the base model is its word embeddings.

    Raises:
        OSError: the disk is full or not writable.
        ValueError: `folder` holds something else, or a projection that has an adapter was trained
            itself as well, which peft's format cannot hold.
    """
    quiet_bitsandbytes()  # peft imports it
    from peft import LoraConfig as PeftLoraConfig

    require_replaceable_adapter(folder)
    require_tokenizer(tokenizer_folder)
    if both := [name for name in tensors if ".base_layer." in name]:
        raise ValueError(
            f"{both[0]} was trained beside its own adapter, and an adapter folder cannot hold "
            "both: export the merged model (form=merged)"
        )
    inside = {name: tensor for name, tensor in tensors.items() if name.startswith(_OURS)}
    heads = {name: tensor for name, tensor in tensors.items() if not name.startswith(_OURS)}
    whole = {name.split(".")[-2] for name in inside if ".lora_" not in name}
    peft_config = PeftLoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,  # type: ignore[arg-type]  # peft takes floats
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        modules_to_save=sorted(whole) or None,
        bias="none",
        task_type="CAUSAL_LM",
        base_model_name_or_path=base,
        inference_mode=True,
    ).to_dict()
    if tied and EMBEDDINGS in inside:
        # As peft writes it; else it would put the embeddings beside the base model's head.
        peft_config["ensure_weight_tying"] = True
        inside[HEAD] = inside[EMBEDDINGS].clone()

    def write(new: Path) -> None:
        # A set has another order in every process; the same export has the same bytes.
        plain = {k: sorted(v) if isinstance(v, set) else v for k, v in peft_config.items()}
        write_json(new / CONFIG_FILE, plain)
        _save(new / WEIGHTS_FILE, {_to_peft(name): tensor for name, tensor in inside.items()})
        if heads:
            _save(new / HEADS_FILE, heads)
        copy_tokenizer(tokenizer_folder, new)
        write_json(new / TRAINING_FILE, facts)

    replace_folder(folder, write)


def read_adapter(folder: Path | str) -> Adapter:
    """Read the settings and headers of an adapter folder, ours or one that peft wrote.

    Raises:
        ValueError: a file is missing or damaged, or the adapters are of a kind that is not plain
            LoRA (names the key).
    """
    folder = Path(folder)
    if not is_adapter(folder):
        raise ValueError(
            f"{folder} has no {CONFIG_FILE}: not an adapter folder (seal train/export "
            "form=adapter writes one)"
        )
    path = folder / CONFIG_FILE
    content = read_json_object(path)
    for key, plain in _PLAIN.items():
        if key in content and content[key] != plain and (content[key] or plain):
            raise ValueError(f"{path}: {key}={content[key]!r}, only {plain!r} is understood here")
    targets = content.get("target_modules")
    rank, alpha, dropout = (content.get(k) for k in ("r", "lora_alpha", "lora_dropout"))
    base_name = content.get("base_model_name_or_path")
    if (
        not isinstance(targets, list)
        or not all(isinstance(target, str) for target in targets)
        or not isinstance(rank, int)
        or not isinstance(alpha, int | float)
        or not isinstance(dropout, int | float)
        or not isinstance(base_name, str | None)
    ):
        raise ValueError(
            f"{path}: r={rank!r}, lora_alpha={alpha!r}, lora_dropout={dropout!r}, "
            f"target_modules={targets!r}, base_model_name_or_path={base_name!r}; expected numbers, "
            "a list of module names and a path"
        )
    if not (folder / WEIGHTS_FILE).is_file():
        raise ValueError(f"{folder} has no {WEIGHTS_FILE}: the folder is incomplete")
    stored = {_from_peft(k, folder): v for k, v in list_file(folder / WEIGHTS_FILE).items()}
    if (folder / HEADS_FILE).is_file():
        stored |= list_file(folder / HEADS_FILE)
    for name, tensor in stored.items():
        if ".lora_A." in name and tensor.shape[:1] != (rank,):
            raise ValueError(
                f"{folder}: {name} is {list(tensor.shape)}, but {CONFIG_FILE} says r={rank}"
            )
    facts = folder / TRAINING_FILE
    told = read_json_object(facts) if facts.is_file() else {}
    base, model = told.get("base"), told.get("model")
    return Adapter(
        folder, rank, float(alpha), float(dropout), tuple(sorted(targets)),
        base_name,
        base.get("fingerprint") if isinstance(base, dict) else None,
        config_from_dict(model, facts) if isinstance(model, dict) else None,
        stored,
    )  # fmt: skip


def require_base(adapter: Adapter, base: str, found: str) -> None:
    """Raise a ValueError if the content of the folder `base` is not what it was trained over."""
    if adapter.base_fingerprint not in (None, found):
        raise ValueError(
            f"the adapters in {adapter.folder} were trained over {adapter.base} as fingerprint "
            f"{adapter.base_fingerprint}, and {base} has {found}: use that base model"
        )


def base_folder(adapter: Adapter) -> Path:
    """Where its base model lies.

    Raises:
        ValueError: there is no such folder.
    """
    if adapter.base is None or not Path(adapter.base).is_dir():
        raise ValueError(
            f"the base model of {adapter.folder}, {adapter.base}, is not there: put it there, or "
            f"its path into {CONFIG_FILE} as base_model_name_or_path"
        )
    return Path(adapter.base)


def require_replaceable_adapter(folder: Path) -> None:
    """Refuse to overwrite what is neither absent, nor empty, nor an adapter folder and no more."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    ours = {CONFIG_FILE, WEIGHTS_FILE, HEADS_FILE, TRAINING_FILE, *TOKENIZER_FILES}
    foreign = sorted({path.name for path in folder.iterdir()} - ours) if folder.is_dir() else []
    if foreign or not is_adapter(folder):
        raise ValueError(
            f"{folder} would be replaced, but it is no adapter folder"
            + (f" (it holds {', '.join(foreign[:5])})" if foreign else "")
            + "; choose another folder, or move that away"
        )


def _to_peft(name: str) -> str:
    return _THEIRS + name.removeprefix(_OURS).replace(".default.", ".")


def _from_peft(name: str, folder: Path) -> str:
    if not name.startswith(_THEIRS):
        raise ValueError(f"{folder / WEIGHTS_FILE}: {name} is no name that peft gives")
    name = _OURS + name.removeprefix(_THEIRS)
    for matrix in (".lora_A.", ".lora_B."):
        name = name.replace(matrix, f"{matrix}default.")
    return name


def _save(file: Path, tensors: Mapping[str, Tensor]) -> None:
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(content, file, metadata={"format": "pt"})
    follow_umask(file)
