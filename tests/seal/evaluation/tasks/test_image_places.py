from __future__ import annotations

import pytest

from seal.evaluation.tasks.image_places import ImagePlaces


@pytest.mark.parametrize(
    ("lies", "called", "found"),
    [
        ("a.jpg", "a.jpg", "a.jpg"),
        ("val2014/a.jpg", "a.jpg", "val2014/a.jpg"),
        ("documents/a.png", "documents/a.png", "documents/a.png"),
        ("val2014/documents/a.png", "documents/a.png", "val2014/documents/a.png"),
        ("a.png", "documents/a.png", "a.png"),
        ("other/a.jpg", "a.jpg", "a.jpg"),  # not among the places: it stays as it is called
    ],
)
def test_a_picture_is_found_in_the_folder_or_in_one_of_the_places_below(
    tmp_path, lies, called, found
):
    (tmp_path / lies).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / lies).write_bytes(b"x")
    places = ImagePlaces(tmp_path, ("val2014", "images"))
    assert places.name(called) == found
    assert places.images().has(found) is (found == lies)
