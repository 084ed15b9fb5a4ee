"""`seal serve` as it is called: what is wrong is told in a line, before a model is loaded."""

from __future__ import annotations

import socket

import pytest

from seal import cli


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--port", "70000"], "0 to 65535"),
        (["--api-key-env", "SEAL_TEST_NO_SUCH_KEY"], "is not set, or empty"),
        (["--max-held-mb", "5"], "max_body_mb=100"),
        (["--timeout", "0"], "timeout=0.0 must be a number above 0"),
        (["--max-waiting", "0"], "max_waiting=0"),
        (["--model-name", " "], "is no name"),
    ],
)
def test_wrong_limits_are_told_in_a_line(arguments, told, capsys):
    assert cli.main(["serve", "--miniature", *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_a_port_that_is_taken_is_told_before_a_model_is_loaded(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert cli.main(["serve", "--miniature", "--port", port]) == 2
    error = capsys.readouterr().err
    assert f"--port {port}" in error and "choose another" in error and error.count("\n") == 1
