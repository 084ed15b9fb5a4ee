"""`python -m seal` and `torchrun -m seal`: the console script by another door."""

from __future__ import annotations

import sys

from seal.cli import main

if __name__ == "__main__":
    sys.exit(main())
