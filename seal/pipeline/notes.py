"""What whoever reads an answer should know: that its models know nothing of such a picture."""

from __future__ import annotations

from PIL.Image import Image

from seal.images.drawn import is_drawn

NOT_DRAWN = (
    "this is no picture of the miniature's drawn world, the only one that the miniature knows: "
    "what it says of photos is chance; name other models, as in --vqa craigwu/seal_vqa_7b "
    "--vsm craigwu/seal_vsm_7b"
)


def notes_on(image: Image | None, *, drawn_only: bool) -> list[str]:
    """Notes on an answer about an image by models of which one knows drawn scenes alone."""
    if image is None or not drawn_only or is_drawn(image):
        return []
    return [NOT_DRAWN]
