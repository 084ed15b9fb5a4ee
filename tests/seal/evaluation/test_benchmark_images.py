"""Pictures of a benchmark, wherever they are kept."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from seal.evaluation.benchmark_images import BytesImages, FolderImages


def encoded(color: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (6, 4), color).save(file, "PNG")
    return file.getvalue()


def test_a_picture_is_the_same_in_a_folder_and_as_bytes(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").write_bytes(encoded((9, 8, 7)))
    folder = FolderImages(tmp_path)
    kept = BytesImages("table.tsv", {"sub/a.png": lambda: encoded((9, 8, 7))})
    assert folder.digest("sub/a.png") == kept.digest("sub/a.png")
    assert folder.open("sub/a.png").tobytes() == kept.open("sub/a.png").tobytes()
    for images in (folder, kept):
        assert images.has("sub/a.png") and not images.has("b.png")
        assert images.digest("b.png") == "none"
        with pytest.raises(ValueError, match=r"b\.png"):
            images.open("b.png")


def test_nothing_is_read_before_it_is_wanted_and_damage_is_named():
    read = []

    def fetch() -> bytes:
        read.append("a")
        return b"no image"

    images = BytesImages("table.tsv", {"17": fetch})
    assert images.has("17") and not read
    with pytest.raises(ValueError, match=r"table\.tsv, picture 17: .*not an image"):
        images.open("17")
