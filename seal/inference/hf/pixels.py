"""How many pixels of a picture a model is given: it moves accuracy more than most things do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seal.inference.hf.families import Family


@dataclass(frozen=True, slots=True)
class PixelBudget:
    """Least and most pixels per picture, as given to the vision tower."""

    least: int | None = None
    most: int | None = None
    default: str = ""  # what the processor came with
    can_shrink: bool = False  # the processor itself keeps to the budget

    @classmethod
    def set(
        cls, processor: Any, family: Family, name: str, least: int | None, most: int | None
    ) -> PixelBudget:
        """The budget, and the processor made to keep it where it can.

        Raises:
            ValueError: not positive, out of order, or a least that this model cannot be given.
        """
        for key, value in (("min_pixels", least), ("max_pixels", most)):
            if value is not None and value < 1:
                raise ValueError(f"{key}={value} is not a positive number of pixels")
        images = processor.image_processor
        default = _told(images)
        if not family.pixel_budget:
            if least is not None:
                raise ValueError(
                    f"{name} shows every picture at sizes of its own, so min_pixels={least} cannot "
                    "be kept: leave it out"
                )
            return cls(None, most, default)
        size = images.size
        low = size["shortest_edge"] if least is None else least
        high = size["longest_edge"] if most is None else most
        if low > high:
            raise ValueError(
                f"min_pixels={low} is more than max_pixels={high}: give both, in order "
                f"(this processor came with {size['shortest_edge']} and {size['longest_edge']})"
            )
        images.size = type(size)(shortest_edge=low, longest_edge=high)
        for key, value in (("min_pixels", low), ("max_pixels", high)):
            if hasattr(images, key):
                setattr(images, key, value)
        return cls(low, high, default, can_shrink=True)

    def settings(self) -> dict[str, Any]:
        return {"min_pixels": self.least, "max_pixels": self.most, "processor_size": self.default}


def _told(images: Any) -> str:
    """The size settings of an image processor, in a line."""
    names = (
        "size", "crop_size", "max_image_size", "image_grid_pinpoints", "max_patches",
        "max_soft_tokens", "max_image_tokens", "tile_size",
    )  # fmt: skip
    found = {}
    for name in names:
        value = getattr(images, name, None)
        if value is None:
            continue
        if hasattr(value, "items"):
            value = {key: number for key, number in value.items() if number is not None}
        elif hasattr(value, "__dataclass_fields__"):
            value = {key: number for key, number in vars(value).items() if number is not None}
        found[name] = value
    return " ".join(f"{key}={value}" for key, value in found.items()).replace("'", "")
