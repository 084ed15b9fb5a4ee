"""The picture of an answer: question and answer, and below them what each search looked at."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from seal.search import canvas
from seal.search.draw import draw_path
from seal.search.result import SearchResult

_MARGIN = 16
_QUESTION, _ANSWER = 16, 22  # sizes of letters
_MOST_LINES = 6  # of an answer


def answer_picture(
    image: Image.Image,
    question: str,
    answer: str,
    searches: Sequence[SearchResult],
    *,
    width: int = 1024,
) -> Image.Image:
    """One sheet. Searches that failed, and those that nothing had to be looked for, are left out;
    where none is left, the image itself is shown.
    """
    head = _head(question, answer, width)
    sheets = [
        draw_path(image, result, width=width)
        for result in searches
        if result.error is None and result.path
    ]
    if not sheets:
        shown = canvas.fit(image, width - 2 * _MARGIN, width)
        sheet = Image.new("RGB", (width, shown.height + _MARGIN), canvas.PAPER)
        sheet.paste(shown, ((width - shown.width) // 2, 0))
        sheets = [sheet]
    parts = [head, *sheets]
    made = Image.new("RGB", (width, sum(part.height for part in parts)), canvas.PAPER)
    top = 0
    for part in parts:
        made.paste(part, (0, top))
        top += part.height
    return made


def _head(question: str, answer: str, width: int) -> Image.Image:
    room = width - 2 * _MARGIN
    asked = canvas.wrap(question, _QUESTION, room, _MOST_LINES) if question else []
    said = canvas.wrap(answer, _ANSWER, room, _MOST_LINES) if answer else []
    step_asked, step_said = round(_QUESTION * 1.5), round(_ANSWER * 1.4)
    height = _MARGIN + len(asked) * step_asked + len(said) * step_said + _MARGIN // 2
    head = Image.new("RGB", (width, height), canvas.PAPER)
    draw, top = ImageDraw.Draw(head), _MARGIN
    for line in asked:
        canvas.write(draw, (_MARGIN, top), line, canvas.FAINT, _QUESTION)
        top += step_asked
    for line in said:
        canvas.write(draw, (_MARGIN, top), line, canvas.INK, _ANSWER)
        top += step_said
    return head
