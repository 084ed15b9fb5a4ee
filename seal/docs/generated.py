"""Parts of pages that the code writes: `<!-- generated: NAME WORD -->` becomes what NAME makes."""

from __future__ import annotations

import re
from collections.abc import Callable

from seal.docs.command_line import command_line, programs
from seal.docs.configuration import fields_table, group_files
from seal.docs.reproduced import reproduced

MARK = re.compile(r"^<!-- generated: (\S+)(?: (\S+))? -->$", re.MULTILINE)
MAKERS: dict[str, Callable[..., str]] = {
    "command-line": command_line,  # every command of `seal`, as its --help tells it
    "programs": programs,  # FOLDER: every program in it, as its --help tells it
    "fields": fields_table,  # MODULE.CLASS: the fields of a dataclass
    "group": group_files,  # NAME: the files of conf/NAME
    "reproduced": reproduced,  # what measures each number of conf/table
}


def filled(markdown: str) -> str:
    """A page with its generated parts.

    Raises:
        ValueError: a part is asked for that nothing makes.
    """

    def made(match: re.Match[str]) -> str:
        name, word = match.groups()
        if name not in MAKERS:
            raise ValueError(f"nothing makes {name!r}; there are {', '.join(MAKERS)}")
        return MAKERS[name](*([word] if word else []))

    return MARK.sub(made, markdown)
