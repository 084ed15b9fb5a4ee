"""In the reference of the Python interface, fields tell what the comment beside them says."""

from __future__ import annotations

import ast
import io
import tokenize
from functools import cache
from pathlib import Path
from typing import Any

import griffe


class FieldComments(griffe.Extension):
    """Gives each field of a class the comment at its end, or else the one above it."""

    def on_class_members(
        self, *, node: ast.AST | griffe.ObjectNode, cls: griffe.Class, **kwargs: Any
    ) -> None:
        if not isinstance(node, ast.ClassDef) or not isinstance(cls.filepath, Path):
            return
        for item in node.body:
            if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
                continue
            member = cls.members.get(item.target.id)
            text = comment_of(cls.filepath, item.lineno, item.end_lineno or item.lineno)
            if isinstance(member, griffe.Attribute) and not member.docstring and text:
                member.docstring = griffe.Docstring(text[:1].upper() + text[1:], parent=member)


def comment_of(path: Path, first: int, last: int) -> str:
    """What is said about the lines `first` to `last`: behind them, or right above them."""
    comments = _comments(path)
    text, alone = comments.get(last, ("", True))
    if not alone:
        return text
    above = first
    while comments.get(above - 1, ("", False))[1]:
        above -= 1
    return " ".join(comments[number][0] for number in range(above, first))


@cache
def _comments(path: Path) -> dict[int, tuple[str, bool]]:
    """Line -> its comment, and whether it has the line to itself."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    return {
        token.start[0]: (token.string.lstrip("# "), token.line.strip() == token.string)
        for token in tokens
        if token.type == tokenize.COMMENT
    }
