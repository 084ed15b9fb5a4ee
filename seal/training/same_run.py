"""Whether a checkpoint may be gone on from: the same tensors, configuration and base model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seal.training.config import FREE_FIELDS, flatten

FREE_SECTIONS = frozenset(["deepspeed", "paths", "run_name", "dry_run", "experiment"])


def require_same_shapes(
    source: Path, stored: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise a ValueError that names every kind of difference."""
    missing = [name for name in wanted if name not in stored]
    extra = [name for name in stored if name not in wanted]
    other = [
        f"{name} {list(stored[name])} there, {list(wanted[name])} here"
        for name in wanted
        if name in stored and stored[name] != wanted[name]
    ]
    problems = [
        f"{title}: {_some(names)}"
        for title, names in (
            ("not in it", missing),
            ("only in it", extra),
            ("of another shape", other),
        )
        if names
    ]
    if problems:
        raise ValueError(
            f"{source} is not a checkpoint of what is trained here; {'; '.join(problems)}; "
            f"choose another run_name, or the model configuration it was written with"
        )


def require_same_config(
    source: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]
) -> str | None:
    """Raise a ValueError if a value that shapes the training has changed; names the keys.

    Where losses are averaged over the whole step, micro-batches are only how a step is carried
    out: others are allowed, and what is returned tells of it.
    """
    require_same_base(source, stored.get("base"), wanted.get("base"))
    there, here = flatten(stored), flatten(wanted)
    changed = [
        f"{key}: {there.get(key, 'absent')!r} there, {here.get(key, 'absent')!r} here"
        for key in sorted(there.keys() | here.keys())
        if there.get(key, "absent") != here.get(key, "absent")
        and not _is_free(key)
        and not (_is_layout(key) and _averaged_over_steps(there, here, key))
    ]
    if changed:
        raise ValueError(
            f"{source} was written under another configuration: {_some(changed)}; "
            f"choose another run_name to start anew, or set these back to continue"
        )
    others = [
        f"{key.rpartition('.')[2]}={here[key]} instead of {there.get(key)}"
        for key in filter(_is_layout, here)
        if here[key] != there.get(key)
    ]
    if not others:
        return None
    return f"going on with {', '.join(others)}: the same steps, equal up to rounding"


def require_same_base(
    source: Path, stored: Mapping[str, str] | None, wanted: Mapping[str, str] | None
) -> None:
    """Raise a ValueError if the folder with the base model, or the adapters, holds others by now.

    A checkpoint holds what is trained and nothing frozen. Another folder is another configuration,
    which `require_same_config` names.
    """
    if stored is None or wanted is None:
        return
    for key, folder, hashed, what in (
        ("init_from", "folder", "fingerprint", "model"),
        ("init_adapter", "adapter", "adapter_fingerprint", "adapter"),
    ):
        if folder not in stored or stored[folder] != wanted.get(folder):
            continue
        if stored[hashed] != wanted[hashed]:
            raise ValueError(
                f"{key}={wanted[folder]} is no longer the {what} that {source} was trained from "
                f"(fingerprint {stored[hashed]} then, {wanted[hashed]} now), and what is not "
                f"trained is read from there; put that {what} back, or choose another run_name to "
                f"start anew"
            )


def _is_free(key: str) -> bool:
    section, _, rest = key.removeprefix("configuration.").partition(".")
    return section in FREE_SECTIONS or (section == "train" and rest in FREE_FIELDS)


def _is_layout(key: str) -> bool:
    """Whether it says only how a step is carried out, if losses are averaged over it."""
    section, _, rest = key.removeprefix("configuration.").partition(".")
    return section == "train" and rest in ("micro_batch_size", "dealing")


def _averaged_over_steps(there: Mapping[str, Any], here: Mapping[str, Any], key: str) -> bool:
    averaging = f"{key.rpartition('.')[0]}.averaging"
    return here.get(averaging) == there.get(averaging) == "step"


def _some(names: list[str], limit: int = 6) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
