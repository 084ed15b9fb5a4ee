"""What lies in a tokenizer folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from seal.files.plain_text import read_json_file, read_text

MODEL_FILE = "tokenizer.model"  # sentencepiece
JSON_FILE = "tokenizer.json"  # the library `tokenizers`
CONFIG_FILE = "tokenizer_config.json"
ADDED_FILE = "added_tokens.json"
CHAT_FILE = "chat_template.jinja"
# Everything that makes up a tokenizer folder; copied byte for byte beside a checkpoint.
TOKENIZER_FILES = (
    MODEL_FILE,
    JSON_FILE,
    CONFIG_FILE,
    "special_tokens_map.json",
    ADDED_FILE,
    CHAT_FILE,
)


def copy_tokenizer(source: Path, folder: Path) -> None:
    """The tokenizer's files, byte for byte."""
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file, empty if there is no such file."""
    if not path.is_file():
        return {}
    content = read_json_file(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected an object, found {type(content).__name__}")
    return content


def chat_template_in(folder: Path) -> str | None:
    """The folder's chat template (Jinja), from its own file or the tokenizer's settings."""
    path = folder / CHAT_FILE
    if path.is_file():
        return read_text(path)
    told = read_object(folder / CONFIG_FILE).get("chat_template")
    if isinstance(told, list):  # named ones, as in [{"name": "default", "template": ...}]
        named = {each["name"]: each["template"] for each in told if isinstance(each, dict)}
        told = named.get("default")
    return told if isinstance(told, str) else None
