"""Images: any picture file as upright RGB, and the pixels that the models were trained on."""

from seal.images.files import (
    MOST_PIXELS,
    UnreadableImageError,
    image_file_size,
    open_image,
    orientation,
    stored_size,
    to_rgb,
    upright,
    upright_rgb,
)
from seal.images.pixels import (
    BACKGROUND,
    CLIP_MEAN,
    CLIP_STD,
    clip_pixels,
    context_box,
    context_crop,
    cut,
    normalize_bytes,
    owl_pixels,
    pad_to_square,
    resized_bytes,
)

__all__ = [
    "BACKGROUND",
    "CLIP_MEAN",
    "CLIP_STD",
    "MOST_PIXELS",
    "UnreadableImageError",
    "clip_pixels",
    "context_box",
    "context_crop",
    "cut",
    "image_file_size",
    "normalize_bytes",
    "open_image",
    "orientation",
    "owl_pixels",
    "pad_to_square",
    "resized_bytes",
    "stored_size",
    "to_rgb",
    "upright",
    "upright_rgb",
]
