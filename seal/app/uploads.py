"""Pictures that people drop on the page: out of the folder for uploads and out of nothing else."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from PIL import Image

from seal.images import open_image


def read_upload(given: Any, folder: Path, kept: Collection[Path] = ()) -> tuple[str, Image.Image]:
    """The name and the picture of an uploaded file, which is deleted: only its pixels are kept.

    Args:
        given: what the browser says of the file: its `path` and its own name, `orig_name`.
        folder: where uploads are; a path elsewhere is refused, so that nobody reads this machine's
            files through the page.
        kept: files in the folder that are the page's own, as absolute paths without links: not
            deleted, whoever names them.

    Raises:
        ValueError: it is no upload, or no picture; one line, without the path.
    """
    if not isinstance(given, dict) or not isinstance(given.get("path"), str):
        raise ValueError("that is no uploaded file: drop a picture on the page")
    path = Path(given["path"])
    name = Path(str(given.get("orig_name") or path.name)).name[:100]
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError("only pictures that are dropped on the page are read")
    try:
        return name, open_image(path)
    except ValueError as error:
        raise ValueError(str(error).replace(str(path), name)) from None
    finally:
        if path.resolve() not in kept:
            path.unlink(missing_ok=True)
