"""Whatever can be seen is read as it looks; what cannot is named, whatever Pillow makes of it."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from seal.images import BACKGROUND, MOST_PIXELS, files
from seal.images.files import (
    image_file_size,
    open_image,
    stored_size,
    to_rgb,
    upright,
    upright_rgb,
)


def save(image, path, **kwargs):
    image.save(path, **kwargs)
    return path


def test_the_camera_orientation_is_applied(tmp_path):
    image = Image.new("RGB", (4, 2), (255, 0, 0))
    exif = image.getexif()
    exif[0x0112] = 6  # turned a quarter to the right
    assert open_image(save(image, tmp_path / "a.jpg", exif=exif)).size == (2, 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_opens_as_rgb(mode, tmp_path):
    name = "a.tif" if mode == "CMYK" else "a.png"
    opened = open_image(save(Image.new(mode, (5, 4)), tmp_path / name))
    assert (opened.mode, opened.size) == ("RGB", (5, 4))


def test_transparent_pixels_show_the_padding_color(tmp_path):
    image = Image.new("RGBA", (2, 1), (9, 8, 7, 0))
    image.putpixel((1, 0), (9, 8, 7, 255))
    opened = open_image(save(image, tmp_path / "a.png"))
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [BACKGROUND, (9, 8, 7)]


def test_sixteen_bit_gray_is_scaled_not_clipped(tmp_path):
    values = np.array([[0, 32768, 65535]], np.uint16)
    opened = open_image(save(Image.fromarray(values), tmp_path / "a.png"))
    assert [opened.getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]


def jpeg_bytes():
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.jpg", None, "does not exist"),
        ("empty.jpg", b"", "0 bytes"),
        ("text.png", b"this is no image at all", "not an image"),
        ("cut.jpg", jpeg_bytes()[:900], "damaged"),
        ("bad.ppm", b"P6 5x 4 255\n" + bytes(60), "damaged"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", "damaged|not an image"),
    ],
)
def test_a_bad_file_is_named(name, content, said, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"(?s){name}.*({said})"):
        open_image(path)


def test_a_folder_is_not_an_image(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        open_image(tmp_path)


def test_an_image_beyond_memory_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = save(Image.new("RGB", (4, 4)), tmp_path / "big.png")
    monkeypatch.setenv("SEAL_MOST_PIXELS", "15")
    with pytest.raises(ValueError, match=r"big\.png: 4 x 4 pixels are more than the 15 that") as no:
        open_image(path)
    name, _, number = str(no.value).partition("variable ")[2].partition(" ")[0].partition("=")
    monkeypatch.setenv(name, number)
    assert open_image(path).size == (4, 4)


@pytest.mark.parametrize("said", ["0", "-5", "1e9", "many"])
def test_a_limit_that_is_no_number_of_pixels_is_refused(said, tmp_path, monkeypatch):
    path = save(Image.new("RGB", (4, 4)), tmp_path / "a.png")
    monkeypatch.setenv("SEAL_MOST_PIXELS", said)
    with pytest.raises(ValueError, match=rf"^SEAL_MOST_PIXELS={said} in the environment is no"):
        open_image(path)


def test_an_opened_image_is_one_picture_in_memory(tmp_path, monkeypatch):
    """Of what is RGB and stands upright; no more than some rows of what is transparent besides."""
    made = []
    new = Image.Image._new
    monkeypatch.setattr(
        Image.Image, "_new", lambda im, core: made.append(core.size) or new(im, core)
    )
    path = save(Image.new("RGB", (40, 30), (200, 30, 40)), tmp_path / "a.jpg", quality=95)
    pixels = np.asarray(Image.open(path))
    made.clear()
    opened = open_image(path)
    assert made == [(40, 30)] and type(opened) is Image.Image
    np.testing.assert_array_equal(np.asarray(opened), pixels)

    monkeypatch.setattr(files, "_BAND_PIXELS", 100)
    rgba = np.random.default_rng(0).integers(0, 256, (31, 40, 4), dtype=np.uint8)
    whole = Image.alpha_composite(
        Image.new("RGBA", (40, 31), (*BACKGROUND, 255)), Image.fromarray(rgba)
    )
    transparent = Image.fromarray(rgba)
    made.clear()
    shown = to_rgb(transparent)
    assert made.count((40, 31)) == 1 and {height for _, height in made} == {31, 2, 1}
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(whole.convert("RGB")))


def test_pillows_own_limits_are_neither_ours_nor_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3)  # it would refuse from 7 on
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 100)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("comment", "long " * 10_000)
    path = save(Image.new("RGB", (4, 4), (1, 2, 3)), tmp_path / "a.png", pnginfo=texts)
    assert open_image(path).getpixel((0, 0)) == (1, 2, 3)
    assert (Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_MEMORY) == (3, 100)


def ifd(entries, at):
    """A directory of EXIF tags at byte `at`: (tag, type, count, value) each."""
    head = struct.pack("<H", len(entries))
    more, start = b"", at + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        if len(value) > 4:
            head += struct.pack("<HHII", tag, kind, count, start + len(more))
            more += value
        else:
            head += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    return head + bytes(4) + more


TURNED = (0x0112, 3, 1, struct.pack("<H", 6))
HEADER = b"Exif\0\0II*\0\x08\0\0\0"
LOOP = struct.pack("<H", 1) + struct.pack("<HHII", 0x8825, 4, 1, 8)  # its GPS block is itself


def with_gps(*tags):
    size = len(ifd([TURNED, (0x8825, 4, 1, bytes(4))], 8))
    main = ifd([TURNED, (0x8825, 4, 1, struct.pack("<I", 8 + size))], 8)
    return HEADER + main + ifd(list(tags), 8 + size)


@pytest.mark.parametrize(
    ("exif", "turned"),
    [
        (HEADER + ifd([(0x010F, 5, 1, struct.pack("<II", 1, 2)), TURNED], 8), True),
        (with_gps((0, 2, 4, b"2.2\0"), (1, 2, 2, b"N\0")), True),
        (with_gps((0, 2, 0, b""), (1, 2, 2, b"N\0")), True),
        (with_gps((5, 2, 2, b"0\0"), (1, 2, 2, b"N\0")), True),
        (with_gps((2, 5, 3, struct.pack("<6I", 1, 1, 2, 1, 0, 0))), True),
        (HEADER + ifd([(0x0112, 3, 1, struct.pack("<H", 77))], 8), False),
        (HEADER + ifd([(0x0112, 2, 2, b"6\0")], 8), False),
        (HEADER + LOOP, False),
        (b"Exif\0\0garbage that is no block at all", False),
        (HEADER + b"\xff\xff" + bytes(9), False),
    ],
)
def test_odd_metadata_is_no_fault_of_the_picture(exif, turned, tmp_path):
    image = Image.new("RGB", (40, 20), (200, 30, 40))
    path = save(image, tmp_path / "a.jpg", exif=exif)
    assert open_image(path).size == image_file_size(path) == ((20, 40) if turned else (40, 20))
    assert stored_size(path) == (40, 20)


@pytest.mark.parametrize("tag", range(1, 9))
def test_every_orientation_shows_the_corner_where_the_camera_saw_it(tag, tmp_path):
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    shown = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1],
        5: pixels.T, 6: pixels.T[:, ::-1], 7: pixels.T[::-1, ::-1], 8: pixels.T[::-1],
    }[tag]  # fmt: skip
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = tag
    assert (np.asarray(upright(image)) == shown).all()
    path = save(Image.fromarray(pixels), tmp_path / "a.png", exif=image.getexif())
    assert (np.asarray(open_image(path))[..., 0] == shown).all()


@pytest.mark.parametrize(
    ("values", "kind", "gray"),
    [
        ([0, 128, 255], np.uint16, [0, 128, 255]),  # 8 bits in a file of 16
        ([0, 2048, 4095], np.uint16, [0, 128, 255]),  # 12 bits
        ([0, 300, 65535], np.uint16, [0, 1, 255]),
        ([0.0, 0.5, 1.0], np.float32, [0, 128, 255]),
        ([0.0, 100.0, 255.0], np.float32, [0, 100, 255]),
        ([0, 32768, 65535], np.int32, [0, 128, 255]),
        ([-5, 128, 255], np.int32, [0, 128, 255]),
    ],
)
def test_deep_gray_is_scaled_by_its_depth(values, kind, gray, tmp_path):
    image = Image.fromarray(np.array([values], kind))
    path = save(image, tmp_path / "a.tif")
    for opened in (open_image(path), to_rgb(image)):
        assert np.asarray(opened)[0].tolist() == [[value] * 3 for value in gray]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.0, float("nan")], np.float32),
        ([-1.0, 1.0], np.float32),
        ([0.0, float("inf")], np.float32),
        ([0.0, 256.0], np.float32),
        ([0, 65536], np.int32),
    ],
)
def test_values_that_are_no_brightness_are_refused(values, kind, tmp_path):
    path = save(Image.fromarray(np.array([values], kind)), tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"a\.tif: gray values from .* are no brightness"):
        open_image(path)


def test_inks_palettes_and_other_spaces_look_as_they_are(tmp_path):
    red = Image.new("RGB", (8, 8), (200, 30, 40))
    palette = red.quantize(4)
    for name, image, near in (
        ("cmyk.tif", red.convert("CMYK"), 1),
        ("cmyk.jpg", red.convert("CMYK"), 6),  # Adobe keeps these inks inverted
        ("palette.png", palette, 0),
        ("ycc.jpg", red.convert("YCbCr"), 6),
        ("hsv", red.convert("HSV"), 3),
    ):
        shown = open_image(save(image, tmp_path / name)) if "." in name else to_rgb(image)
        assert np.abs(np.asarray(shown).astype(int) - (200, 30, 40)).max() <= near, name
    lab = Image.new("LAB", (2, 2), (137, 128, 128))  # L* 53.6 of 100, no color
    assert np.abs(np.asarray(to_rgb(lab)).astype(int) - 128).max() <= 2


def test_a_color_of_rgb_that_is_transparent_shows_the_padding_color(tmp_path):
    image = Image.new("RGB", (2, 1), (200, 30, 40))
    image.putpixel((1, 0), (9, 8, 7))
    opened = open_image(save(image, tmp_path / "a.png", transparency=(200, 30, 40)))
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [BACKGROUND, (9, 8, 7)]


def test_the_first_frame_or_page_is_shown(tmp_path):
    red, blue = (Image.new("RGB", (8, 8), color) for color in ((250, 0, 0), (0, 0, 250)))
    for name in ("a.gif", "a.tif", "a.webp", "a.png"):
        how = {"lossless": True} if name == "a.webp" else {}
        path = save(red, tmp_path / name, save_all=True, append_images=[blue], **how)
        assert open_image(path).getpixel((0, 0)) == (250, 0, 0), name


def test_an_open_image_is_turned_once_and_kept_if_nothing_changes(tmp_path):
    image = Image.new("RGB", (4, 2), (1, 2, 3))
    assert upright_rgb(image) is image
    image.getexif()[0x0112] = 6
    path = save(image, tmp_path / "a.png", exif=image.getexif())
    with Image.open(path) as lazy:
        turned = upright_rgb(lazy)
    assert turned.size == open_image(path).size == (2, 4)
    assert upright_rgb(turned) is turned and upright_rgb(open_image(path)).size == (2, 4)
    path.write_bytes(path.read_bytes()[:-30])
    with (
        Image.open(path) as lazy,
        pytest.raises(ValueError, match=r"^the photo: the image is damaged"),
    ):
        upright_rgb(lazy, "the photo")
    with pytest.raises(ValueError, match=r"^the image: it is empty: 0 x 5 pixels"):
        upright_rgb(Image.new("RGB", (0, 5)))


def test_warnings_about_metadata_stay_inside(tmp_path, recwarn):
    exif = HEADER + ifd([TURNED, (0x010F, 2, 500, b"\xff\xff\0\0\0")], 8)
    path = save(Image.new("RGB", (4, 2)), tmp_path / "a.jpg", exif=exif)
    assert open_image(path).size == (2, 4)
    assert not recwarn.list


def test_a_palette_color_that_is_transparent_shows_the_padding_color(tmp_path):
    image = Image.new("RGB", (2, 1), (200, 30, 40)).quantize(4)
    path = save(image, tmp_path / "a.png", transparency=image.getpixel((0, 0)))
    assert open_image(path).getpixel((0, 0)) == BACKGROUND


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>sign in</html>", "an HTML page"),
        (bytes(1000), "begins with zeros"),
    ],
)
def test_what_is_saved_in_the_place_of_a_photo_is_called_what_it_is(content, said, tmp_path):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.jpg: not an image: it.*{said}"):
        open_image(tmp_path / "a.jpg")


FORMATS = {
    "a.jpg": {},
    "a.png": {},
    "a.webp": {},
    "a.avif": {},
    "a.gif": {},
    "a.tif": {"compression": "tiff_lzw"},
    "a.bmp": {},
    "deep.png": {},
    "exif.jpg": {"exif": with_gps((0, 2, 4, b"2.2\0"))},
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A small picture in every format, as bytes."""
    folder = tmp_path_factory.mktemp("sound")
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    made = {}
    for name, how in FORMATS.items():
        image = Image.fromarray(noise)
        if name == "deep.png":
            image = Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
        made[name] = save(image, folder / name, **how).read_bytes()
    return made


def damaged(content, rng):
    """Bytes flipped, cut, zeroed from somewhere on, or a number in the header made huge."""
    data = bytearray(content)
    kind, at = rng.integers(4), int(rng.integers(len(data)))
    if kind == 0:
        for place in rng.integers(len(data), size=int(rng.integers(1, 6))):
            data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        data[at:] = bytes(len(data) - at)
    else:
        at = int(rng.integers(min(64, len(data) - 4)))
        data[at : at + 4] = b"\x7f\xff\xff\xff"
    return bytes(data)


def opens_or_is_named(content, path):
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            opened = open_image(path)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error), repr(error)
        return False
    assert opened.mode == "RGB" and 0 < opened.width * opened.height <= MOST_PIXELS
    return True


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_picture_opens_or_is_named(name, sound, tmp_path):
    assert opens_or_is_named(sound[name], tmp_path / name)
    rng = np.random.default_rng(len(name))
    for _ in range(12):
        opens_or_is_named(damaged(sound[name], rng), tmp_path / name)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_hundreds_of_damaged_pictures_open_or_are_named(name, sound, tmp_path):
    rng = np.random.default_rng(7)
    opened = sum(opens_or_is_named(damaged(sound[name], rng), tmp_path / name) for _ in range(100))
    assert opened < 100
