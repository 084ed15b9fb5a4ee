"""A program that serves fakes: SECONDS for each batch, with GRACE at the end."""

from __future__ import annotations

import sys
import time

from served import HeldAnswers, fake_seal

from seal.serving.config import ServeConfig
from seal.serving.server import serve


def main(seconds: float, grace: float) -> int:
    seal = fake_seal()
    generate = HeldAnswers.generate

    def slow(self: HeldAnswers, requests: object, *, max_new_tokens: int = 200) -> object:
        time.sleep(seconds)
        return generate(self, requests, max_new_tokens=max_new_tokens)

    HeldAnswers.generate = slow  # type: ignore[method-assign]
    config = ServeConfig(grace=grace)
    return serve(seal, config, "127.0.0.1", 0, tell=lambda line: print(line, flush=True))


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:])))
