"""What `-m`, a sweep, changes: who starts the runs, and that one that fails does not end the rest.

A launcher of Hydra starts the runs: in this process one after the other (its own), or each in
processes of its own (conf/hydra/launcher).
"""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from seal.failure import FailedError
from seal.schema.errors import explain

ERROR_FILE = "error.txt"  # in the folder of a run of a sweep that failed: why
_NOTES = "SEAL_SWEEP_NOTES"  # a file on this machine where runs tell the sweep that they failed
_SWEEP = {"-m", "--multirun"}


@contextmanager
def sweep(words: Sequence[str]) -> Iterator[None]:
    """Around a program with `words` as its command line; without `-m` it does nothing.

    Raises:
        ValueError: torchrun started it, or the launcher is not installed.
        RuntimeError: some of the runs failed; says which and why.
    """
    if not _SWEEP & set(words):
        yield
        return
    _require_launcher(words)
    with tempfile.TemporaryDirectory(prefix="seal-sweep-") as folder:
        notes = Path(folder) / "failed.jsonl"
        os.environ[_NOTES] = str(notes)
        try:
            yield
        finally:
            del os.environ[_NOTES]
        if notes.exists():
            failed = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]
            each = "; ".join(f"{run}: {error}" for run, error in failed)
            raise FailedError(f"{len(failed)} of the runs failed, the others are done: {each}")


def is_run_of_a_sweep() -> bool:
    """Whether Hydra runs this as one of several."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def run_of_a_sweep(work: Callable[[], None]) -> None:
    """Do it; should it fail, say why in its folder, and let the other runs go on.

    An error that left here would end the sweep with the batch it is in.
    """
    _join_tasks()
    folder = Path(HydraConfig.get().runtime.output_dir)
    main = os.environ.get("RANK", "0") == "0"
    if main:
        (folder / ERROR_FILE).unlink(missing_ok=True)
    try:
        work()
    except SystemExit as stop:  # it was asked to stop, or another process of it says why
        if stop.code:
            raise FailedError(f"{folder} ended with exit code {stop.code}") from stop
    except Exception as error:
        if os.environ.get("SEAL_TRACEBACK") == "1":
            traceback.print_exc()
        if main:
            (folder / ERROR_FILE).write_text(f"{explain(error)}\n", encoding="utf-8")
        notes = os.environ.get(_NOTES, "")
        if os.environ.get("SUBMITIT_EXECUTOR") == "slurm" or not notes:
            raise  # another machine, which has no batches
        print(f"{folder}: {explain(error)}", flush=True)
        if main:
            with open(notes, "a", encoding="utf-8") as file:
                file.write(json.dumps([str(folder), explain(error)]) + "\n")


def _require_launcher(words: Sequence[str]) -> None:
    if "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            "-m under torchrun: each of its processes would start every run; start the sweep "
            "without torchrun, and for several GPUs a run add hydra/launcher=slurm (or local) "
            "hydra.launcher.tasks_per_node=8"
        )
    named = [word for word in words if word.startswith("hydra/launcher=")]
    if (
        named
        and named[-1].partition("=")[2] != "basic"
        and importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is None
    ):
        raise ValueError(f"{named[-1]} needs a package: pip install hydra-submitit-launcher")


def _join_tasks() -> None:
    """Tell the processes of one run about each other, as torchrun does.

    They are the tasks of a job of submitit; each sees all GPUs of its machine.
    """
    if "SUBMITIT_EXECUTOR" not in os.environ or "RANK" in os.environ:
        return
    import submitit

    if submitit.JobEnvironment().num_tasks > 1:
        # Over what a run that was in the sweep's own process has left (LOCAL_RANK).
        submitit.helpers.TorchDistributedEnvironment().export(
            set_cuda_visible_devices=False, overwrite=True
        )
