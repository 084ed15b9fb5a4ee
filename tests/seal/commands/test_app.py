"""`seal app` before any model is loaded: what is wrong ends in one line, with the way out."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from seal.cli import main


def test_a_taken_port_is_told_with_another(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gradio", reason="no gradio: pip install -e '.[app]'")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["app", "--miniature", "--port", str(port)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"seal: port {port} of 127.0.0.1 is in use")
    assert "--port" in told and told.count("\n") == 1


def test_without_gradio_the_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["app"]) == 2
    told = capsys.readouterr().err
    assert "pip install 'seal[app]'" in told and told.count("\n") == 1


def test_a_folder_without_pictures_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("gradio", reason="no gradio: pip install -e '.[app]'")
    assert main(["app", "--port", "0", "--examples", str(tmp_path)]) == 2
    assert "no picture in it" in capsys.readouterr().err
