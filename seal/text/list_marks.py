"""Marks by which lists are written in many scripts: bullets, quotes, separators, stops."""

from __future__ import annotations

import re

QUOTES = "\"'“”‘’«»„「」『』《》`"
ENDS = " \t\r\n.,;:!()（）。，；：！،؛*_-–—•"  # of what is no part of a name
JOINERS = "\u200c\u200d"  # not seen, but letters of Persian, Hindi and others need them
BROKEN = "\ufffd"  # what a tokenizer writes for bytes that are no character
INVISIBLE = (
    JOINERS
    + "\u200b\u200e\u200f\u2060\ufeff"
    + "".join(
        map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])  # which way text runs
    )
)
BULLET = re.compile(
    r"^(?P<indent>[ \t]*)(?:"
    r"[-*+•‣▪●◦·–—]\s+|[•‣▪●◦·]"
    r"|\(?(?:\d{1,2}|[a-zA-Z]|[٠-٩]{1,2}|[۰-۹]{1,2})(?:[.)]|\s*-)\s+"
    r"|\(?\d{1,2}[、．.)]\s*(?=[^\d\s])|（\d{1,2}）|\[\d{1,2}\]\s|[①-⑳]|#\d{1,2}\s"
    r")\s*(?P<item>.*)$"
)
NUMBER = re.compile(r"(?:(?<=\s)|^)\(?(\d{1,2})[.)](?=\s)")  # within a line
QUOTED = re.compile(
    r"\"((?:[^\"\\\n]|\\.)*)\"|(?<!\w)'((?:[^'\\\n]|\\.|'(?=\w))*)'(?!\w)|“([^”\n]*)”|「([^」\n]*)」"
)
SEPARATOR = re.compile(r"[,،、，;；]")
COLON = re.compile(r"[:：](?!//)")
SENTENCE_END = re.compile(  # not behind `U.S.`, `No.`, `St.`
    r"(?:(?<!\b\w)(?<!\b[NnSMD][or])(?<!\bSt)(?<!\bMrs)\.|[!?。！？؟])(?:\s|$)|[。！？]"
)
ASKS = ("?", "？", "؟")
EMPHASIS = re.compile(r"^[*_`#>\s]+|[*_`\s]+$")
# What is said about a name, behind it.
REMARK = re.compile(r"\s*(?:\s[-–—]{1,2}\s|[:：(（]|\*\*|\s->|→).*$", re.DOTALL)
SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")  # Japanese, Chinese, Thai
STRUCTURE = re.compile(r"[{}=\\|]")  # of a document, not of a name
# What a tokenizer reads as a mark, of any model.
CONTROL = re.compile(r"<\|?/?[A-Za-z_][^<>\n]{0,40}>|\[/?[A-Z_]{2,}\]|<｜[^<>\n]{0,40}｜>")
# Of these, those around what refers to a region.
REFERRED = re.compile(r"<(?:ref|\|object_ref_start\|)>(.*?)<(?:/ref|\|object_ref_end\|)>")
