"""A file is known by its content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from seal.files.digest import file_digest, file_facts


def test_the_digest_is_sha256_whatever_the_size(tmp_path: Path) -> None:
    for size in (0, 1, 3 << 20):
        (tmp_path / "a").write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
        assert (
            file_digest(tmp_path / "a") == hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()
        )


def test_two_files_of_one_name_size_and_date_are_told_apart(tmp_path: Path) -> None:
    facts = []
    for content in ("dog", "cat"):
        (tmp_path / content).mkdir()
        (tmp_path / content / "a.json").write_text(content)
        os.utime(tmp_path / content / "a.json", (1, 1))
        facts.append(file_facts(tmp_path / content / "a.json"))
    assert facts[0] != facts[1] and facts[0] | {"sha256": ""} == facts[1] | {"sha256": ""}
