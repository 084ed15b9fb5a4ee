"""What an entry of a conversation file is about, where that is more than one image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_KEYS = ("video", "videos", "audio", "audios", "speech", "sound", "point", "point_cloud", "pdf")
# At an end of what is said: within a sentence it may be HTML that is spoken of.
_MARK = re.compile(r"^\s*<(video|audio|speech|sound|point)>|<(video|audio|speech|sound|point)>\s*$")


def other_medium(entry: Mapping[str, Any], said: str = "") -> str | None:
    """The medium other than images that an entry needs, `video` say; None: it needs none.

    Args:
        said: what its first turn says.
    """
    for key in _KEYS:
        if entry.get(key) not in (None, "", [], -1):
            return key
    mark = _MARK.search(said)
    return None if mark is None else mark[1] or mark[2]
