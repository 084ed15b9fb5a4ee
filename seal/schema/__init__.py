"""Hydra's side of a program: typed composition of `conf/`, errors in one line, exit codes.

The only part of the library that imports Hydra; a program gets dataclasses.
"""

from __future__ import annotations

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
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seal.failure import FailedError
from seal.schema.errors import explain, unknown
from seal.schema.failures import told
from seal.schema.keys import Keys
from seal.schema.manual import manual
from seal.schema.overrides import understood
from seal.schema.sweeps import is_run_of_a_sweep, run_of_a_sweep, sweep

__all__ = ["compose", "explain", "from_dict", "program"]

T = TypeVar("T")


def program(
    config_name: str, schema: type[T]
) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """Make `main(run)` the main of a program: `conf/CONFIG_NAME.yaml`, typed by `schema`.

    The YAML names `CONFIG_NAME_schema` first in its defaults. Exit codes: 0 done; 1 the work
    failed; 2 wrong configuration or input (any ValueError, a file that is missing).
    """

    def decorate(main: Callable[[T], None]) -> Callable[[], None]:
        path = Path(main.__code__.co_filename).resolve()
        folder = path.parents[1] / "conf"

        def task(config: DictConfig) -> None:
            # Hydra would add lines of its own to an error that leaves its task.
            def work() -> None:
                with told(sys.argv[1:], schema, folder, config_name):
                    _refuse_unchosen_protocol(config)
                    run = _typed(config)
                main(run)

            if is_run_of_a_sweep():
                run_of_a_sweep(work)
            else:
                _guarded(work)

        def run() -> None:
            words = sys.argv[1:]
            if "--help" in words or "-h" in words:
                print(manual(path, folder))
                return
            os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach this function
            _register(config_name, schema)
            start = hydra.main(version_base="1.3", config_path=str(folder), config_name=config_name)

            def understand_and_start() -> None:
                sys.argv[1:], notes = understood(words, Keys(schema, folder, config_name))
                if os.environ.get("RANK", "0") == "0":
                    for note in notes:
                        print(f"{path.stem}: {note}", file=sys.stderr)
                with (
                    sweep(sys.argv[1:]),
                    told(sys.argv[1:], schema, folder, config_name),
                ):
                    start(task)()

            _guarded(understand_and_start)

        return run

    return decorate


def compose(folder: Path, config_name: str, schema: type[T], overrides: Sequence[str]) -> T:
    """What a program's `main` would get for `overrides`; for tests and for use from Python.

    Raises:
        ValueError: a key or value is wrong; one line that names it.
    """
    _register(config_name, schema)
    overrides, _ = understood(overrides, Keys(schema, folder, config_name))
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(folder.resolve())):
        try:
            with told(overrides, schema, folder, config_name):
                config = hydra.compose(
                    config_name=config_name, overrides=overrides, return_hydra_config=True
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
            raise ValueError(unknown(f"{prefix}{key}", kind))
        # A value that is missing or an interpolation to nowhere is reported by `to_object`.
        node = None if OmegaConf.is_missing(config, key) else config._get_node(key)
        if isinstance(node, DictConfig) and not node._is_none() and not node._is_interpolation():
            _refuse_added_keys(node, f"{prefix}{key}.")


# Errors whose message says it all. What is not among them is a bug, and one wants to see where.
_TOLD = (
    ValueError, OSError, FloatingPointError, MemoryError, ImportError, FailedError, HydraException,
    OmegaConfBaseException, YAMLError,
)  # fmt: skip


def _guarded(work: Callable[[], Any]) -> None:
    try:
        work()
    except Exception as error:
        if os.environ.get("SEAL_TRACEBACK") == "1" or not isinstance(error, _TOLD):
            traceback.print_exc()
        print(f"{Path(sys.argv[0]).stem}: {explain(error)}", file=sys.stderr)
        wrong = ValueError | FileNotFoundError | HydraException | OmegaConfBaseException | YAMLError
        raise SystemExit(2 if isinstance(error, wrong) else 1) from error
