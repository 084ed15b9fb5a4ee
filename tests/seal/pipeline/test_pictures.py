"""Whatever can be meant by an image is the same picture; the rest is refused in one line."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from seal.images import open_image, upright
from seal.pipeline.pictures import OpenPictures, check_picture, picture

COLORS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def encoded(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(Image.fromarray(COLORS)))
    return path


@pytest.mark.parametrize(
    "given",
    [
        lambda path: path,
        lambda path: str(path),
        lambda path: path.read_bytes(),
        lambda path: bytearray(path.read_bytes()),
        lambda path: memoryview(path.read_bytes()),
        lambda path: io.BytesIO(path.read_bytes()),
        lambda path: path.open("rb"),
        lambda path: Image.open(path),
        lambda path: Image.fromarray(COLORS).convert("RGBA"),
        lambda path: COLORS,
        lambda path: COLORS[:, ::-1][:, ::-1],
        lambda path: np.dstack([COLORS, np.full((20, 30), 255, np.uint8)]),
    ],
)
def test_every_way_to_give_an_image_gives_its_pixels(path, given):
    shown = picture(given(path))
    assert shown.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(shown), COLORS)
    check_picture(given(path))


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1)])
def test_a_gray_array_is_gray(shape):
    gray = COLORS[:, :, 0]
    np.testing.assert_array_equal(np.asarray(picture(gray.reshape(shape)))[:, :, 2], gray)


def test_an_image_that_is_ready_stays_the_same_object():
    ready = Image.fromarray(COLORS)
    assert picture(ready) is ready


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_image_is_turned_once_whether_it_comes_as_file_or_opened(tmp_path, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / "turned.png"
    path.write_bytes(encoded(Image.fromarray(COLORS), exif=exif.tobytes()))
    file = open_image(path)
    assert file.size == ((30, 20) if turn < 5 else (20, 30))
    for given in (path, path.read_bytes(), Image.open(path), file, upright(Image.open(path))):
        np.testing.assert_array_equal(np.asarray(picture(given)), np.asarray(file))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("https://example.org/a.jpg", "is an address, and nothing is fetched"),
        ("data:image/png;base64," + "A" * 5000, "is an address"),
        ("nowhere.jpg", "nowhere.jpg: does not exist"),
        ("x" * 300, "is a longer name than"),
        (b"", "the image's bytes: not an image"),
        (b"no picture", "the image's bytes: not an image"),
        (None, "there is no image"),
        (("a.jpg", "b.jpg"), "an image cannot be a tuple: give a path"),
        ({"image": "a.jpg"}, "an image cannot be a dict: give a path"),
        (torch.zeros(3, 8, 8), r"cannot be a Tensor: give a numpy array .*permute\(1, 2, 0\)"),
        (np.zeros((3, 20, 30), np.uint8), "colors come last, array.transpose"),
        (np.zeros((2, 20, 30, 3), np.uint8), "of one image"),
        (np.zeros((20, 30, 3), np.float32), "float32, 20 x 30 x 3, is no image: give uint8"),
        (np.zeros((20, 30), bool), "give uint8"),
        (np.zeros((0, 30, 3), np.uint8), "it is empty"),
        (io.StringIO("text"), "opened for reading bytes"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line_with_the_way_out(given, says):
    with pytest.raises(ValueError, match=says) as error:
        picture(given)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    if not isinstance(given, io.StringIO):  # a file says what it is when it is read
        with pytest.raises(ValueError, match=says):
            check_picture(given)


def test_a_picture_is_checked_without_being_decoded(path, monkeypatch):
    opened = []
    monkeypatch.setattr(Image.Image, "load", lambda image: opened.append(image))
    for given in (path, path.read_bytes(), COLORS, Image.fromarray(COLORS)):
        check_picture(given)
    assert opened == []


def test_a_path_is_opened_once_while_its_picture_is_in_use(path):
    pictures = OpenPictures()
    first = pictures.open(path)
    assert pictures.open(str(path)) is first
    path.write_bytes(encoded(Image.new("RGB", (3, 2))))
    assert pictures.open(path) is first
    del first
    assert pictures.open(path).size == (3, 2)
    content = path.read_bytes()
    assert pictures.open(content) is not pictures.open(content)
