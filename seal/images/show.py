"""Showing a picture to whoever sits there: in the notebook, in a window, or as a file."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageShow


def in_notebook() -> bool:
    """Whether this runs in a notebook's kernel, which displays what it is given."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and getattr(shell, "kernel", None) is not None


def show_picture(image: Image.Image, name: str) -> Path | None:
    """Show a picture in the notebook or in a window; where there is neither, write it to a file of
    its own, tell the path on stderr, and return it.

    name: of the file, without its ending.
    """
    if in_notebook():
        from IPython.display import display  # a notebook has it

        display(image)
        return None
    if _has_display() and ImageShow.show(image, name):
        return None
    path = Path(tempfile.mkdtemp(prefix="seal-")) / f"{name}.png"
    image.save(path)
    print(f"no display: the picture is {path}", file=sys.stderr)
    return path


def _has_display() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
