"""A picture inside a page: its pixels stand in the tag, so that the page needs no other file."""

from __future__ import annotations

import base64
import html
import io

from PIL import Image

EMBEDDED = "data:image/"  # by which a part of a page is known to carry pixels


def picture(
    image: Image.Image, *, alt: str = "", width: int | None = None, exact: bool = False
) -> str:
    """An image tag that carries its pixels.

    Args:
        alt: what it shows, in words, for who cannot see it; empty where a caption beside it says
            all of it.
        width: pixels; a wider picture is scaled down to it.
        exact: pixels as they are (PNG), not nearly (JPEG, a tenth of the size).
    """
    if width is not None and image.width > width:
        height = round(image.height * width / image.width)
        image = image.resize((width, max(1, height)), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    kind = "png" if exact else "jpeg"
    if exact:
        image.save(stream, "PNG", optimize=True)
    else:
        image.convert("RGB").save(stream, "JPEG", quality=82)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return (
        f'<img alt="{html.escape(alt)}" width="{image.width}" height="{image.height}" '
        f'src="{EMBEDDED}{kind};base64,{data}">'
    )
