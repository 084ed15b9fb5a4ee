"""Pictures of the documentation are small, and keep the few pixels whose color matters."""

from __future__ import annotations

from PIL import Image

from seal.docs.make_pictures import MAX_BYTES, PICTURES, write_small


def test_a_picture_is_made_to_fit_and_keeps_rare_colors(tmp_path):
    image = Image.effect_noise((760, 760), 90).convert("RGB")
    image.paste((22, 163, 74), (10, 10, 14, 60))  # a verdict's green on a twentieth of a percent
    path = write_small(image, tmp_path / "deep" / "a.png")
    assert path.stat().st_size <= MAX_BYTES
    red, green, blue = Image.open(path).convert("RGB").getpixel((12, 30))
    assert green > red + 60 and green > blue + 40


def test_those_in_the_repository_are_small():
    for name in ("search", "report", "app"):
        assert 0 < (PICTURES / f"{name}.png").stat().st_size <= MAX_BYTES
