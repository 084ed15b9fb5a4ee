"""What holds for the whole suite."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile

# Before torch is loaded, here and in what tests start: as many tests run side by side as there are
# cores, and threads of one that wait for those of another take ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What is checked of a model once is kept in the user's cache: the suite has one of its own. Real
# weights stay in the user's, or would be fetched anew each time.
if "SEAL_CACHE" not in os.environ and not any("real" in word for word in sys.argv[1:]):
    os.environ["SEAL_CACHE"] = tempfile.mkdtemp(prefix="seal-tests-")
    atexit.register(shutil.rmtree, os.environ["SEAL_CACHE"], ignore_errors=True)

# A shell gives what it starts in the background no Ctrl-C; programs under test must get theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hooks: pytest finds them by their names.
from golden_report import pytest_collection_modifyitems as pytest_collection_modifyitems
from golden_report import pytest_runtest_logreport as pytest_runtest_logreport
from golden_report import pytest_runtest_makereport as pytest_runtest_makereport
from golden_report import pytest_runtest_setup as pytest_runtest_setup
from golden_report import pytest_terminal_summary as pytest_terminal_summary
from time_left import pytest_configure as pytest_configure
