"""What this code is: its version, folder and commit; a module of its own, below every layer."""

from __future__ import annotations

import subprocess
from pathlib import Path

__version__ = "0.2.0"
PACKAGE = Path(__file__).resolve().parent


def git_revision() -> str | None:
    """The commit of the code, `+` behind it if files were changed; None outside a checkout."""
    root = PACKAGE.parent
    if not (root / ".git").exists():  # an installed package may lie inside another project
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
