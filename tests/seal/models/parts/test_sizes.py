from __future__ import annotations

from types import SimpleNamespace

import pytest

from seal.models.parts.sizes import require_multiple


def test_what_does_not_divide_is_refused_with_both_names_and_values():
    sizes = SimpleNamespace(image_size=28, patch_size=14)
    require_multiple(sizes, "image_size", "patch_size")
    sizes.patch_size = 15
    with pytest.raises(ValueError, match="image_size=28 is not a multiple of patch_size=15"):
        require_multiple(sizes, "image_size", "patch_size")


@pytest.mark.parametrize(("image_size", "patch_size"), [(0, 14), (28, 0), (28, -14)])
def test_a_size_of_nothing_is_refused_by_name(image_size, patch_size):
    sizes = SimpleNamespace(image_size=image_size, patch_size=patch_size)
    with pytest.raises(ValueError, match=r"(image|patch)_size=(0|-14) must be at least 1"):
        require_multiple(sizes, "image_size", "patch_size")
