"""Find and run the programs under train/ eval/ data_builders/, from a checkout or a wheel."""

from __future__ import annotations

import ast
import difflib
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDERS = ("data_builders", "train", "eval")


def programs_root() -> Path:
    """Return the folder that holds the program folders and `conf/`."""
    package = Path(__file__).resolve().parents[1]
    for root in (package / "programs", package.parent):
        if (root / "conf").is_dir() and (root / "train").is_dir():
            return root
    raise FileNotFoundError(
        f"no program folders beside {package}: reinstall seal, or run from a checkout"
    )


def names() -> list[str]:
    """Every program as FOLDER/PROGRAM."""
    root = programs_root()
    return [
        f"{folder}/{path.stem}"
        for folder in FOLDERS
        for path in sorted((root / folder).glob("*.py"))
    ]


def listing() -> str:
    """One line a program: its name and the first sentence of its docstring."""
    root = programs_root()
    lines = []
    for name in names():
        tree = ast.parse((root / f"{name}.py").read_text(encoding="utf-8"))
        first = (ast.get_docstring(tree) or "").partition("\n")[0]
        lines.append(f"  {name:<24} {first}")
    return "\n".join(lines) or "  (none)"


def program_path(name: str) -> Path:
    """Return the file of `name`; an unknown name is a ValueError that offers the nearest one."""
    name = name.removesuffix(".py")
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=3)
        hint = (
            f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(names())}"
        )
        raise ValueError(f"no program {name!r}{hint}")
    return programs_root() / f"{name}.py"


def meant(words: Sequence[str]) -> str | None:
    """The program that `words` name almost: `train vsm`, `vsm`, `train`; None: none of them."""
    word, then = words[0], words[1] if len(words) > 1 else ""
    stems = {name.partition("/")[2]: name for name in names()}
    if word in FOLDERS or difflib.get_close_matches(word, FOLDERS, n=1, cutoff=0.8):
        joined = difflib.get_close_matches(f"{word}/{then}", names(), n=1, cutoff=0.7)
        if joined and then:
            return f"seal {joined[0]}"
        (folder,) = difflib.get_close_matches(word, FOLDERS, n=1)
        return " | ".join(f"seal {name}" for name in names() if name.startswith(f"{folder}/"))
    near = difflib.get_close_matches(word.removesuffix(".py"), stems, n=1, cutoff=0.75)
    return f"seal {stems[near[0]]}" if near else None


def run(name: str, overrides: Sequence[str]) -> int:
    """Run a program as its own main, with `overrides` as its command line."""
    path = program_path(name)
    if "--help" in overrides or "-h" in overrides:
        # Here, and not only by the program itself: that would import torch first.
        from seal.schema.manual import manual

        print(manual(path, programs_root() / "conf"))
        return 0
    sys.argv = [str(path), *overrides]
    # Hydra prints whole tracebacks by itself otherwise; `guarded` decides how much is shown.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0
