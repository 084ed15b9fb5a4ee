"""What holds for the whole suite."""

from __future__ import annotations

# Hooks: pytest finds them by their names.
from golden_report import pytest_collection_modifyitems as pytest_collection_modifyitems
from golden_report import pytest_runtest_logreport as pytest_runtest_logreport
from golden_report import pytest_runtest_makereport as pytest_runtest_makereport
from golden_report import pytest_runtest_setup as pytest_runtest_setup
from golden_report import pytest_terminal_summary as pytest_terminal_summary
from time_left import pytest_configure as pytest_configure
