"""A patch is cut out once while it is kept; an image that is forgotten takes its patches along."""

from __future__ import annotations

from tiny_models import noise

from seal.geometry import Box
from seal.inference.guides.patch_pictures import PatchPictures
from seal.search.protocol import Patch

IMAGE = noise(60, 40)


def patch(*box, image=IMAGE):
    return Patch(image, Box(*box))


def test_the_same_patch_is_the_same_picture():
    pictures = PatchPictures()
    first = pictures.get(patch(10, 5, 30, 25))
    assert first is pictures.get(patch(10, 5, 30, 25)) and first.size == (20, 20)
    assert first.tobytes() == IMAGE.crop((10, 5, 30, 25)).tobytes()
    assert pictures.get(patch(10, 5, 30, 25, image=noise(60, 40, seed=1))) is not first


def test_the_whole_of_an_image_is_the_image():
    assert PatchPictures().get(patch(0, 0, 60, 40)) is IMAGE


def test_a_square_holds_the_patch_in_its_middle():
    pictures = PatchPictures()
    square = pictures.get(patch(0, 0, 60, 40), square=True)
    assert square.size == (60, 60)
    assert square.crop((0, 10, 60, 50)).tobytes() == IMAGE.tobytes()
    assert pictures.get(patch(0, 0, 40, 40), square=True).size == (40, 40)


def test_only_so_many_pixels_are_kept_the_latest_always():
    pictures = PatchPictures(most_pixels=500)
    first = pictures.get(patch(0, 0, 20, 20))
    second = pictures.get(patch(20, 0, 40, 20))
    assert pictures.get(patch(20, 0, 40, 20)) is second
    assert pictures.get(patch(0, 0, 20, 20)) is not first
    large = pictures.get(patch(0, 0, 50, 40))
    assert pictures.get(patch(0, 0, 50, 40)) is large


def test_forgetting_an_image_drops_its_pictures_alone():
    pictures, other = PatchPictures(), noise(60, 40, seed=1)
    mine, theirs = pictures.get(patch(0, 0, 9, 9)), pictures.get(patch(0, 0, 9, 9, image=other))
    assert pictures.forget(IMAGE) == [mine] and pictures.forget(IMAGE) == []
    assert pictures.get(patch(0, 0, 9, 9)) is not mine
    assert pictures.get(patch(0, 0, 9, 9, image=other)) is theirs
