"""What a tool call may name as its image: what is given, and files in the folders alone."""

from __future__ import annotations

import base64
import io
import os
import socket

import pytest
from PIL import Image

from seal.mcp.images import CalledImages, ImageLimits


def encoded(size=(30, 20), kind="PNG", color=(200, 10, 10)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, kind)
    return stream.getvalue()


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos" / "more").mkdir(parents=True)
    (tmp_path / "photos" / "one.png").write_bytes(encoded())
    (tmp_path / "photos" / "more" / "two.png").write_bytes(encoded((40, 10)))
    (tmp_path / "secret.png").write_bytes(encoded((7, 7)))
    return tmp_path / "photos"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_an_image_comes_as_a_data_url_of_any_usual_format(kind):
    assert CalledImages().open(data_url(encoded(kind=kind))).size == (30, 20)


def test_base64_alone_is_an_image_too():
    content = base64.b64encode(encoded()).decode()
    lines = "\n".join(content[i : i + 60] for i in range(0, len(content), 60))
    assert CalledImages().open(content).size == CalledImages().open(lines).size == (30, 20)


def test_a_file_is_named_within_a_folder_or_by_its_whole_path(folder):
    images = CalledImages([folder])
    assert images.open("one.png").size == (30, 20)
    assert images.open("more/../one.png").size == (30, 20)
    assert images.open(str(folder / "more" / "two.png")).size == (40, 10)


def test_without_a_folder_no_file_is_read(folder):
    with pytest.raises(ValueError, match="this server reads no files"):
        CalledImages().open(str(folder / "one.png"))


@pytest.mark.parametrize(
    "path",
    ["../secret.png", "more/../../secret.png", "{up}/secret.png", "link.png", "linked/secret.png",
     "/etc/passwd", "/proc/self/environ", "", ".", "more", "pipe", "no.png", "~/x.png", "a" * 5000,
     "one.png\0.txt", "\ud800.png", "/dev/zero"],
)  # fmt: skip
def test_nothing_else_on_this_disk_is_read(folder, path):
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    (folder / "linked").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe")
    with pytest.raises(ValueError) as refused:
        CalledImages([folder]).open(path.format(up=folder.parent) if "{" in path else path)
    assert "\n" not in str(refused.value)


def test_a_link_to_another_place_in_the_folder_is_followed(folder):
    (folder / "link.png").symlink_to(folder / "more" / "two.png")
    assert CalledImages([folder]).open("link.png").size == (40, 10)


@pytest.mark.parametrize(
    "given",
    ["http://127.0.0.1:9/x.png", "https://example.org/x.png", "file:///etc/passwd", "ftp://x/y",
     "data:image/png,plain", "data:image/png;base64", "data:image/png;base64,????", None, 5, [],
     {"path": "x"}, data_url(b"no image at all"), data_url(b"")],
)  # fmt: skip
def test_what_is_no_image_is_refused_in_a_line_without_a_connection(given, folder, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: pytest.fail("connected"))
    with pytest.raises(ValueError) as refused:
        CalledImages([folder]).open(given)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_a_format_whose_reader_runs_another_program_is_refused():
    with pytest.raises(ValueError, match="formats"):
        CalledImages().open(data_url(encoded(kind="EPS"), "image/eps"))


def test_a_picture_too_large_is_refused_before_it_is_decoded(folder):
    limits = ImageLimits(pixels=500, bytes=100_000)
    with pytest.raises(ValueError, match="30 x 20 pixels, and 500 are read"):
        CalledImages(limits=limits).open(data_url(encoded()))
    for given in (data_url(b"\0" * 200_000), "big.png"):
        (folder / "big.png").write_bytes(b"\0" * 200_000)
        with pytest.raises(ValueError, match="100,000 are read"):
            CalledImages([folder], limits).open(given)


def test_a_cut_off_picture_is_told_to_be_damaged():
    with pytest.raises(ValueError, match="damaged"):
        CalledImages().open(data_url(encoded((300, 200), "JPEG")[:500]))


def test_a_folder_that_is_none_is_refused_at_the_start(tmp_path):
    with pytest.raises(ValueError, match=r"--images .*gone: no such folder"):
        CalledImages([tmp_path / "gone"])
