"""The error of work that failed through nobody's mistake in the program."""

from __future__ import annotations


class FailedError(RuntimeError):
    """What was to be done cannot be done; the message says all that a user can act on.

    Programs tell it in one line. Any other `RuntimeError` is taken for a bug and shown with its
    traceback.
    """
