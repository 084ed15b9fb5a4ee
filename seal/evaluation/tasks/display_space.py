"""Where a picture lies on the display of an eye-tracking experiment, and back to its own pixels."""

from __future__ import annotations

from dataclasses import dataclass

from seal.geometry import Box

DISPLAY = (1680, 1050)  # width and height in pixels, of COCO-Search18


@dataclass(frozen=True, slots=True)
class Fit:
    """A picture on a display: enlarged until it fits, its shape kept, centered on black.

    The arithmetic, whole pixels of the display included, is that of `convert_coordinate` in
    plot_scanpath.py of cvlab-stonybrook/Scanpath_Prediction.
    """

    scale: float = 1.0  # pixels of the picture for one of the display
    left: int = 0  # black columns of the display before the picture
    top: int = 0  # black rows above it

    @classmethod
    def of(cls, width: int, height: int, display: tuple[int, int] = DISPLAY) -> Fit:
        """The fit of a width x height picture; a picture of the display's own size fills it."""
        across, down = display
        if (width, height) == display:
            return cls()
        shape = width / height
        if shape > across / down:
            return cls(width / across, 0, (down - int(across / shape)) // 2)
        shown = int(down * shape)
        return cls(width / shown, (across - shown) // 2, 0)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point of the display in pixels of the picture; on the black it is outside of that."""
        return (x - self.left) * self.scale, (y - self.top) * self.scale

    def box(self, box: Box) -> Box:
        """A box on the display in pixels of the picture, not cut at its edges."""
        return Box(*self.point(box.x0, box.y0), *self.point(box.x1, box.y1))
