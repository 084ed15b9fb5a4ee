"""What holds for the whole suite."""

from __future__ import annotations

from time_left import pytest_configure as pytest_configure  # a hook: pytest finds it by its name
