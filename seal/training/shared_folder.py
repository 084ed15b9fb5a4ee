"""Make sure that every process sees the folder the first one writes to."""

from __future__ import annotations

import secrets
import socket
import time
from pathlib import Path

from seal.training.distributed import World

_WAIT = 10.0  # seconds; a network file system may show a new file late
_LOOK = 0.2  # seconds between two looks


def require_shared(folder: Path, world: World, *, wait: float = _WAIT) -> None:
    """Raise if a process does not see what the first one writes in `folder`. Collective.

    Each would otherwise look for a checkpoint in a folder of its own and wait for the others.

    Raises:
        ValueError: in the first process; names the folder, the ranks and their machines.
        SystemExit: in the others.
    """
    if world.size == 1:
        return
    token = world.decide(lambda: _write_token(folder))
    seen = world.is_main or _sees(folder / token, token, wait)
    reports = world.gather((seen, socket.gethostname(), str(folder.resolve())))
    if world.is_main:
        (folder / token).unlink()
    world.decide(lambda: _judge(folder, reports))


def _write_token(folder: Path) -> str:
    name = f".shared-{secrets.token_hex(8)}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(name, encoding="utf-8")
    return name


def _sees(path: Path, token: str, wait: float) -> bool:
    end = time.monotonic() + wait
    while True:
        try:
            if path.read_text(encoding="utf-8") == token:
                return True
        except OSError:
            pass  # not there (yet), or the folder is not
        if time.monotonic() >= end:
            return False
        time.sleep(_LOOK)


def _judge(folder: Path, reports: list[tuple[bool, str, str]]) -> None:
    blind = [
        f"rank {rank} on {host} ({there})"
        for rank, (seen, host, there) in enumerate(reports)
        if not seen
    ]
    if blind:
        _, host, here = reports[0]
        more = f" and {len(blind) - 8} more" if len(blind) > 8 else ""
        raise ValueError(
            f"the run's folder {folder} is not shared: rank 0 on {host} writes to {here}, and what "
            f"it writes there is not seen by {', '.join(blind[:8])}{more}; put paths.runs on "
            "storage that all machines share, and start all of them in the same folder"
        )
