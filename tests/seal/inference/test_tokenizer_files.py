"""Whatever makes up a tokenizer comes from the hub with a model, and is part of its name."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from seal.files.fingerprint import SUFFIXES
from seal.inference.hub import WANTED
from seal.text.tokenizer_files import TOKENIZER_FILES


def test_every_file_of_a_tokenizer_is_fetched_and_noticed_when_it_changes() -> None:
    for name in TOKENIZER_FILES:
        assert any(fnmatch(name, pattern) for pattern in WANTED), name
        assert Path(name).suffix in SUFFIXES, name
