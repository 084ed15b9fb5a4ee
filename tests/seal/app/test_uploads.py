"""Uploaded files: read once, gone afterwards, and no other file is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from seal.app.uploads import read_upload


def uploaded(folder: Path, name: str = "a.png") -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    path = folder / "stored.png"
    Image.new("RGB", (8, 6), (1, 2, 3)).save(path)
    return {"path": str(path), "orig_name": name}


def test_only_the_pixels_are_kept(tmp_path: Path) -> None:
    given = uploaded(tmp_path)
    name, image = read_upload(given, tmp_path)
    assert (name, image.size, image.getpixel((0, 0))) == ("a.png", (8, 6), (1, 2, 3))
    assert not Path(given["path"]).exists()


def test_a_file_elsewhere_is_neither_read_nor_deleted(tmp_path: Path) -> None:
    given = uploaded(tmp_path / "elsewhere")
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "link.png").symlink_to(given["path"])
    for path in (given["path"], f"{tmp_path}/uploads/link.png"):
        with pytest.raises(ValueError, match="dropped on the page"):
            read_upload({"path": path}, tmp_path / "uploads")
    assert Path(given["path"]).exists()


def test_nobody_deletes_the_pages_own_files_by_naming_them(tmp_path: Path) -> None:
    given = uploaded(tmp_path)
    read_upload(given, tmp_path, {Path(given["path"]).resolve()})
    assert Path(given["path"]).exists()


def test_an_error_names_the_file_as_its_owner_does(tmp_path: Path) -> None:
    path = tmp_path / "stored.jpg"
    path.write_text("no picture")
    with pytest.raises(ValueError, match=r"^my cat\.jpg: not an image") as raised:
        read_upload({"path": str(path), "orig_name": "../my cat.jpg"}, tmp_path)
    assert str(tmp_path) not in str(raised.value)


@pytest.mark.parametrize("given", [None, "x", [], {}, {"path": 3}])
def test_what_is_no_file_is_told(given: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no uploaded file"):
        read_upload(given, tmp_path)
