"""How much memory this process takes, as the system says."""

from __future__ import annotations

import sys
from pathlib import Path

STATUS = Path("/proc/self/status")  # Linux


def status_bytes(key: str) -> int | None:
    """A size of the process's status (`VmRSS`, `VmHWM`, `RssAnon`); None: this system has none."""
    if STATUS.exists():
        for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return None


def peak_resident() -> int:
    """The most bytes that were resident at once.

    Not of `getrusage` where it can be had: that counts what the process was before `exec`.
    """
    if (most := status_bytes("VmHWM")) is not None:
        return most
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # the unit is the platform's
