"""Read entries in LLaVA's form: an image, and who says what; other kinds are called by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seal.building.formats.fields import given, listed, shown, text
from seal.data.entry_media import other_medium
from seal.data.record_set import ASSISTANT, HUMAN

FORM = "{id, image, conversations: [{from, value}]}"
_SPEAKERS = {"human": HUMAN, "user": HUMAN, "gpt": ASSISTANT, "assistant": ASSISTANT}
_NAMES = (("from", "value"), ("role", "content"))  # of speaker and text


@dataclass(frozen=True, slots=True)
class LlavaEntry:
    """An entry that may become a record."""

    image: str | None
    turns: list[tuple[str, str]]  # HUMAN or ASSISTANT, and what is said, without outer blanks


def said_in(entry: Any) -> Any:
    """What stands under `conversations`, or under `messages` as some tools call it.

    Raises:
        ValueError: the entry has neither.
    """
    for key in ("conversations", "messages"):
        if isinstance(entry, dict) and key in entry:
            return entry[key]
    raise ValueError(f"an entry has no 'conversations'; its form is {FORM}")


def read_llava_entry(entry: dict[str, Any]) -> LlavaEntry | str:
    """What an entry says, or which kind of entry it is that cannot be used.

    Raises:
        ValueError: a value in it is not of its type.
        KeyError: a turn has no speaker or no text.
    """
    turns = []
    for place, turn in enumerate(listed(said_in(entry), "conversations")):
        if not isinstance(turn, dict):
            raise ValueError(f"conversations[{place}] is {shown(turn)}; its form is {FORM}")
        who, what = next((pair for pair in _NAMES if pair[0] in turn), _NAMES[0])
        if not isinstance(turn[what], str):
            raise ValueError(
                f"conversations[{place}]: {what!r} must be text, got {shown(turn[what])}"
            )
        speaker = text(turn[who], f"conversations[{place}]: {who!r}")
        turns.append((speaker, turn[what].strip()))
    if medium := other_medium(entry, turns[0][1] if turns else ""):
        return f"entry with {medium}"
    image = given(entry.get("image"))
    if image in (None, "", []):
        image = given(entry.get("images"))
    if isinstance(image, list):
        if len(image) > 1:
            return "several images"
        image = image[0] if image else None
    if unknown := [speaker for speaker, _ in turns if speaker not in _SPEAKERS]:
        return "system turn" if "system" in unknown else "speaker who is neither human nor gpt"
    return LlavaEntry(
        text(image, "image") if image not in (None, "") else None,
        [(_SPEAKERS[speaker], value) for speaker, value in turns],
    )
