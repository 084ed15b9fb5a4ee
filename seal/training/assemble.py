"""Open what a run names: the base model and its sizes, adapters, record sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from seal.batch import Batch, Sample
from seal.data.collate import collate
from seal.data.mixture import Mixture, MixtureConfig
from seal.models.files.adapter import is_adapter, read_adapter
from seal.models.files.load import read_config
from seal.models.fit.compile_blocks import compile_blocks
from seal.models.fit.kernels import use_liger
from seal.models.fit.recompute import recompute_blocks
from seal.models.vlm import VLM
from seal.text.tokenize import Tokenizer
from seal.training.config import TrainConfig, flatten
from seal.training.length_indices import Make, indexed
from seal.version import PACKAGE

UNPAD = "tiles.unpad"  # of a model's configuration
MINIATURE = "miniature://"  # a base model that is shipped with the package


@dataclass(slots=True)
class TrainingData:
    """The samples of a run and how they become batches."""

    train: Mixture
    validation: Mixture | None
    collate: Callable[[Sequence[Sample]], Batch]


def open_data(
    train: MixtureConfig,
    validation: MixtureConfig | None,
    make: Make,
    *,
    root: Path,
    seed: int,
    tokenizer: Tokenizer,
    positions: str,
    pack: bool,
    lengths: Path | None = None,
    workers: int = 0,
) -> TrainingData:
    """Open the record sets below `root`; `make` turns one into a source of samples.

    Validation reads its own sets, or what the training holds out of its sets. Its seed is not the
    run's, so that runs are compared on the same samples.

    Args:
        lengths: the folder of the length indices of the training's sets; those that are not there
            are made, by `workers` processes. None: a record is measured when it is asked for.

    Raises:
        ValueError: both are set.
    """
    if validation is not None and train.held_out:
        raise ValueError(
            f"data.train.held_out={train.held_out} would be read by nobody: data.validation names "
            "sources of its own; set data.train.held_out=0, or data.validation=null"
        )
    held_out = train.build_held_out if validation is None else validation.build
    return TrainingData(
        train.build(
            make if lengths is None else indexed(make, lengths, tokenizer, workers),
            root=root,
            seed=seed,
        ),
        held_out(make, root=root, seed=0),
        partial(collate, pad_id=tokenizer.pad_id, positions=positions, pack=pack),
    )


def resolve_folder(name: str) -> Path:
    """A model folder by path, or `miniature://NAME` for one that is shipped with the package."""
    if name.startswith(MINIATURE):
        folder = PACKAGE / "miniature" / "assets" / name.removeprefix(MINIATURE)
        if not folder.is_dir():
            shipped = sorted(path.name for path in folder.parent.glob("*") if path.is_dir())
            raise ValueError(f"{name} is not shipped; there are: {', '.join(shipped) or 'none'}")
        return folder
    if not Path(name).is_dir():
        raise ValueError(f"{name} is not a folder; init_from and tokenizer name model folders")
    return Path(name)


def agreed_sizes(
    wanted: Any,
    init_from: str | None,
    kind: type[Any],
    *,
    adapter: str | None = None,
    chosen: Sequence[str] = (),
) -> Any:
    """Every size of the model: the configuration's, the base folder's, or both if they agree.

    A base folder that is not there yet is no error here, so that a run can be looked at before
    the weights are fetched. The token policy is the run's own choice, and what is cut off tiles
    that of one whose base reads all tokens, of which both ways cut the same.

    Args:
        adapter: the adapter folder over the base, which may have added levels to it.
        chosen: other settings that need not agree.
    """
    missing = init_from is None or not (init_from.startswith(MINIATURE) or Path(init_from).is_dir())
    if wanted is not None and missing:
        return wanted
    if init_from is None:
        raise ValueError("set init_from to a model folder, or model to the sizes of a new one")
    stored = read_config(resolve_folder(init_from))
    if adapter is not None and is_adapter(adapter):  # one that is not there is told when it is read
        stored = read_adapter(adapter).model or stored
    if not isinstance(stored, kind):
        names = (type(stored).__name__, kind.__name__)
        raise ValueError(f"init_from={init_from} holds a {names[0]}, this program needs {names[1]}")
    if wanted is None:
        return stored
    there, here = flatten(asdict(stored)), flatten(asdict(wanted))
    # Levels and a router can be added to a model that has none, and stay where sizes name none.
    parts = ("granularity", "router")
    new = [part for part in parts if there.get(part, "") is None or here.get(part, "") is None]
    lacking = {key for key in {**here, **there} if key.split(".")[0] in new}
    free = {"token_policy", *chosen, *lacking}
    if there.get("granularity", "") is None:
        free.add(UNPAD)
    other = [
        f"{key}: {there.get(key)} there, {here.get(key)} in the configuration"
        for key in {**here, **there}
        if there.get(key) != here.get(key) and key not in free
    ]
    if other:
        way = "leave model out (~model) to take the ones there"
        if any(text.startswith(UNPAD) for text in other):
            way += ", or set unpad to the one that is meant"
        raise ValueError(
            f"init_from={init_from} has other sizes than model: {', '.join(other)}; {way}"
        )
    kept = {part: getattr(stored, part) for part in new if here.get(part, "") is None}
    return replace(wanted, **kept)


def build_with_adapters(
    build: Callable[[], VLM],
    mark: Callable[[VLM], None],
    *,
    lora: Any,
    train: TrainConfig,
    seed: int,
    adapter: str | None = None,
) -> VLM:
    """Build or load a model, `mark` what is trained, add adapters: new ones, or the folder's.

    Whatever is new is drawn from `seed`: the same in every process, and again when the run is
    resumed or exported.
    """
    from seal.models.files.adapted import put_adapter
    from seal.models.fit.lora import add_lora

    torch.manual_seed(seed)
    model = build()
    mark(model)
    if lora is not None:
        add_lora(model, lora)
    if adapter is not None:
        put_adapter(model, read_adapter(adapter), lora)
    if train.gradient_checkpointing:
        recompute_blocks(model, train.recompute_every)
    return model


def speed_up(model: VLM, train: TrainConfig, device: torch.device) -> list[str]:
    """Fused kernels and compilation as `train` asks, in place; what was put in, in words."""
    done = []
    if use_liger(model, train.liger, device):
        done.append("fused kernels of liger-kernel")
    if train.compile:
        compile_blocks(model)
        done.append("blocks compiled at their first use")
    return done
