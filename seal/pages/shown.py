"""What a notebook shows of an answer or a search: words and a picture, in one piece of HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PIL import Image

from seal.pages.page import picture

_WIDTH = 900  # pixels; as wide as notebooks are
_FITS = "max-width:100%;height:auto"


def shown_html(words: str, image: Image.Image | None, notes: Sequence[str] = ()) -> str:
    """Words line by line, the first of them large, then the picture; all of it is in the HTML.

    words: plain text, escaped here. image: None where no picture is kept.
    """
    first, *more = words.splitlines() or [""]
    parts = [f'<div style="font-size:1.15em;font-weight:600">{html.escape(first)}</div>']
    parts += [f"<div>{html.escape(line)}</div>" for line in more]
    parts += [f'<div style="color:#b45309">{html.escape(note)}</div>' for note in notes]
    if image is not None:
        # A notebook has no style of ours, and may be narrower than the picture.
        tag = picture(image, width=_WIDTH).replace("<img ", f'<img style="{_FITS}" ', 1)
        parts.append(f'<div style="margin-top:.5em">{tag}</div>')
    return "<div>" + "".join(parts) + "</div>"
