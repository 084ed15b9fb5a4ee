"""What holds for the whole suite."""

from __future__ import annotations

import os

# Before torch is loaded, here and in what tests start: as many tests run side by side as there are
# cores, and threads of one that wait for those of another take ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Hooks: pytest finds them by their names.
from golden_report import pytest_collection_modifyitems as pytest_collection_modifyitems
from golden_report import pytest_runtest_logreport as pytest_runtest_logreport
from golden_report import pytest_runtest_makereport as pytest_runtest_makereport
from golden_report import pytest_runtest_setup as pytest_runtest_setup
from golden_report import pytest_terminal_summary as pytest_terminal_summary
from time_left import pytest_configure as pytest_configure
