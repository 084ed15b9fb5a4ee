"""A picture whose pixels end in zeros is told from one that is whole, whatever follows it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from seal.files.stopped_download import stops_in_zeros

_KINDS = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}),
    ("AVIF", {"speed": 10}),
]


def written(kind, how, *, flat=False):
    small = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    image = Image.new("RGB", (640, 480)) if flat else Image.fromarray(small).resize((160, 120))
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "how"), _KINDS)
@pytest.mark.parametrize("share", [0.5, 0.85])
def test_a_download_that_was_stopped(kind, how, share):
    content = written(kind, how)
    come = int(len(content) * share)
    assert stops_in_zeros(io.BytesIO(content[:come] + bytes(len(content) - come)))


@pytest.mark.parametrize(("kind", "how"), _KINDS)
@pytest.mark.parametrize("flat", [True, False])
def test_a_whole_picture_with_zeros_behind_it(kind, how, flat):
    content = written(kind, how, flat=flat)
    assert not stops_in_zeros(io.BytesIO(content))
    assert not stops_in_zeros(io.BytesIO(content + bytes(4096)))


def test_the_end_of_a_preview_is_not_that_of_the_photo(tmp_path):
    photo, preview = written("JPEG", {}), b"\xff\xe1\x00\x08Exif\xff\xd9"
    path = tmp_path / "a.jpg"
    path.write_bytes(photo[:2] + preview + photo[2:1500] + bytes(2000))
    assert stops_in_zeros(path)
    path.write_bytes(photo[:2] + preview + photo[2:] + bytes(2000))
    assert not stops_in_zeros(path)
