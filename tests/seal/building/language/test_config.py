from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seal.building.language import LanguageConfig
from seal.building.language.endpoint import EndpointWriter
from seal.building.language.local import LocalWriter
from seal.building.language.templates import TemplateWriter


def test_each_kind_builds_its_writer() -> None:
    openai = LanguageConfig(kind="openai", model="m", base_url="http://127.0.0.1:1/v1")
    assert isinstance(LanguageConfig().build({}), TemplateWriter)
    assert isinstance(openai.build({}), EndpointWriter)
    assert isinstance(LanguageConfig(kind="local", model="m").build({}), LocalWriter)


def test_the_cache_lies_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path))
    assert LanguageConfig().cache_path == tmp_path / "language.sqlite"
    assert LanguageConfig(cache="x.sqlite").cache_path == Path("x.sqlite")
    monkeypatch.delenv("SEAL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert LanguageConfig().cache_path == tmp_path / "xdg/seal/language.sqlite"


def test_openai_without_a_key_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(ValueError, match="environment variable MY_KEY"):
        LanguageConfig(kind="openai", model="m", api_key_env="MY_KEY").build({})


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"kind": "magic"}, "language.kind='magic'"),
        ({"kind": "local"}, "language.model="),
        ({"attempts": 0}, "language.attempts=0"),
        ({"concurrency": 0}, "language.concurrency=0"),
        ({"timeout": 0}, "language.timeout=0"),
        ({"temperature": -1}, "language.temperature=-1"),
        ({"backoff": float("nan")}, "language.backoff=nan"),
        ({"price_in": 1.0}, "go together"),
        ({"dtype": "int8"}, "language.dtype='int8'"),
        ({"base_url": "localhost:8000"}, "http://host:8000/v1"),
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        LanguageConfig(**values)


@pytest.mark.parametrize(
    "address", ["http://u:hush@h/v1", "http://hush@h/v1", "http://h/v1?key=hush", "http://h/#hush"]
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ValueError, match=r"language\.base_url must not hold") as caught:
        LanguageConfig(base_url=address)
    assert "hush" not in str(caught.value)
