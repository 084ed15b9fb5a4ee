"""A picture lies on the display where the data set's own code says, and comes back from there."""

from __future__ import annotations

import pytest

from seal.evaluation.tasks.display_space import DISPLAY, Fit
from seal.geometry import Box


@pytest.mark.parametrize(
    ("size", "left", "top", "scale"),
    [
        ((640, 480), 140, 0, 640 / 1400),  # 4:3 fills the height, 140 black columns each side
        ((640, 427), 53, 0, 640 / 1573),  # 1573.8 columns are cut to 1573
        ((640, 360), 0, 52, 640 / 1680),  # wider than the display: 945 rows, 52 above
        ((427, 640), 490, 0, 427 / 700),
        ((640, 400), 0, 0, 640 / 1680),  # of the display's own shape
        (DISPLAY, 0, 0, 1.0),  # a stimulus of the data set is the display
    ],
)
def test_a_picture_is_enlarged_until_it_fits_and_centered(size, left, top, scale):
    fit = Fit.of(*size)
    assert (fit.left, fit.top) == (left, top)
    assert fit.scale == pytest.approx(scale)


def test_what_is_on_the_display_comes_back_in_pixels_of_the_picture():
    fit = Fit.of(640, 480)
    assert fit.point(840, 525) == pytest.approx((320, 240))  # middle to middle
    assert fit.point(140, 0) == pytest.approx((0, 0))
    assert fit.point(0, 0)[0] < 0  # on the black
    box = fit.box(Box(140, 0, 1540, 1050))
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((0, 0, 640, 480))
