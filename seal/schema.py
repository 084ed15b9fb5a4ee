"""Hydra's side of a program: typed composition of `conf/`, errors in one line, exit codes.

The only module of the library that imports Hydra; a program gets dataclasses.
"""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

T = TypeVar("T")


def program(
    config_name: str, schema: type[T]
) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """Make `main(run)` the main of a program: `conf/CONFIG_NAME.yaml`, typed by `schema`.

    The YAML names `CONFIG_NAME_schema` first in its defaults. Exit codes: 0 done; 1 the work
    failed; 2 wrong configuration or input (any ValueError, a file that is missing).
    """

    def decorate(main: Callable[[T], None]) -> Callable[[], None]:
        folder = Path(main.__code__.co_filename).resolve().parents[1] / "conf"

        def task(config: DictConfig) -> None:
            # Hydra would add lines of its own to an error that leaves its task.
            def work() -> None:
                _refuse_unchosen_protocol(config)
                main(_typed(config))

            _guarded(work)

        def run() -> None:
            os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach this function
            _register(config_name, schema)
            start = hydra.main(version_base="1.3", config_path=str(folder), config_name=config_name)
            _guarded(start(task))

        return run

    return decorate


def compose(folder: Path, config_name: str, schema: type[T], overrides: Sequence[str]) -> T:
    """What a program's `main` would get for `overrides`; for tests and for use from Python.

    Raises:
        ValueError: a key or value is wrong; one line that names it.
    """
    _register(config_name, schema)
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(folder.resolve())):
        try:
            config = hydra.compose(
                config_name=config_name, overrides=list(overrides), return_hydra_config=True
            )
            # As in a program: ${hydra:...} finds its values there, and the run has none of them.
            HydraConfig.instance().set_config(config)
            with open_dict(config):
                config.pop("hydra")
            _refuse_unchosen_protocol(config)
            typed: T = _typed(config)
            return typed
        except (HydraException, OmegaConfBaseException) as error:
            raise ValueError(explain(error)) from error


def from_dict(schema: type[T], values: Mapping[str, Any]) -> T:
    """The dataclass that `dataclasses.asdict` made `values` of."""
    try:
        typed: T = _typed(OmegaConf.merge(OmegaConf.structured(schema), dict(values)))
    except OmegaConfBaseException as error:
        raise ValueError(explain(error)) from error
    return typed


def _register(config_name: str, schema: type[Any]) -> None:
    ConfigStore.instance().store(name=f"{config_name}_schema", node=schema)


def _refuse_unchosen_protocol(config: DictConfig) -> None:
    """`protocol` names a bundle of files: as a plain value it would be recorded but set nothing."""
    chosen = HydraConfig.get().runtime.choices.get("protocol")
    if chosen is not None and config.protocol != chosen:
        raise ValueError(
            f"protocol: {config.protocol} stands as a value in a configuration file, which sets "
            f"none of its options; choose it with protocol={config.protocol}, or with "
            f"`- override /protocol: {config.protocol}` in the defaults of the experiment"
        )


def _typed(config: Any) -> Any:
    """The dataclass a config describes; a key that was added with `+` is an error as well."""
    _refuse_added_keys(config, "")
    return OmegaConf.to_object(config)


def _refuse_added_keys(config: DictConfig, prefix: str) -> None:
    kind = OmegaConf.get_type(config)
    for key in map(str, config):
        if is_dataclass(kind) and key not in {field.name for field in fields(kind)}:
            raise ValueError(_unknown(f"{prefix}{key}", kind))
        # A value that is missing or an interpolation to nowhere is reported by `to_object`.
        node = None if OmegaConf.is_missing(config, key) else config._get_node(key)
        if isinstance(node, DictConfig) and not node._is_none() and not node._is_interpolation():
            _refuse_added_keys(node, f"{prefix}{key}.")


def _guarded(work: Callable[[], Any]) -> None:
    try:
        work()
    except Exception as error:
        if os.environ.get("SEAL_TRACEBACK") == "1":
            traceback.print_exc()
        print(f"{Path(sys.argv[0]).stem}: {explain(error)}", file=sys.stderr)
        wrong = ValueError | FileNotFoundError | HydraException | OmegaConfBaseException
        raise SystemExit(2 if isinstance(error, wrong) else 1) from error


def explain(error: BaseException) -> str:
    """One line a user can act on."""
    found = _config_error(error)
    if isinstance(error, MissingConfigException):
        return _one_line(str(error).partition("Config search path")[0])
    if found is None:
        text = str(error)
        # A DataLoader worker sends its whole traceback; the last line is the message.
        lines = [line for line in text.splitlines() if line.strip()]
        if text.startswith("Caught ") and len(lines) > 1:
            text = lines[-1]
        return _one_line(text) or type(error).__name__
    key, kind = str(found.full_key or found.key), found.object_type
    if "not in" in str(found) and kind is not None:
        return _unknown(key, kind)
    return _one_line(f"{key}: {str(found).splitlines()[0]}")


def _config_error(error: BaseException | None) -> OmegaConfBaseException | None:
    """The OmegaConf error that names a key, behind what Hydra wraps around it."""
    while error is not None:
        if isinstance(error, OmegaConfBaseException) and error.key is not None:
            return error
        error = error.__cause__ or error.__context__
    return None


def _unknown(full_key: str, kind: Any) -> str:
    parent, _, key = full_key.rpartition(".")
    if not is_dataclass(kind):
        return f"{full_key} is not set in the configuration; to add it, write +{full_key}=..."
    valid = [field.name for field in fields(kind)]
    near = difflib.get_close_matches(key, valid, n=3, cutoff=0.5) or valid
    where = f"{parent} has" if parent else "there are"
    nearest = ", ".join(near[:12]) + (", ..." if len(near) > 12 else "")
    few = "nearest: " if len(near) <= 3 and near is not valid else f"{where}: "
    return f"unknown configuration key {full_key}; {few}{nearest}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
