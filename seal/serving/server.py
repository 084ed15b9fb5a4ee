"""Runs the application on a port until it is told to stop."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from seal.pipeline import Seal
from seal.serving.application import Application
from seal.serving.config import ServeConfig

_MARGIN = 10  # seconds after the grace that a reply has to be sent
_QUICK = 1  # exit code where a second signal ends it at once


class Server(uvicorn.Server):
    """Finishes what is open at the first signal, and ends at once at the second."""

    def __init__(
        self,
        application: Application,
        host: str,
        port: int,
        *,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """`tell`: is told the address once requests are taken, and that it stops."""
        self.application, self._tell = application, tell or (lambda line: None)
        grace = application.config.grace
        super().__init__(
            uvicorn.Config(
                application,
                host=host,
                port=port,
                log_level="error",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=int(grace) + _MARGIN,
                ws="none",
            )
        )

    @property
    def port(self) -> int:
        """The one that was found, if 0 was asked for."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            self._tell(f"serving http://{host}:{self.port}/v1")

    async def shutdown(self, sockets: Any = None) -> None:
        self.application.chat.stopping = True
        grace = self.application.config.grace
        open_ = self.application.queue.num_waiting + self.application.queue.num_running
        if open_:
            self._tell(f"stopping: {open_} open questions have {grace:g} s; again to end at once")
        timer = self._loop().call_later(grace, self.application.chat.give_up)
        await super().shutdown(sockets=sockets)
        timer.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Not counted by uvicorn, which would end the process by the same signal afterwards."""
        if self.should_exit:
            os._exit(_QUICK)
        self.should_exit = True

    @staticmethod
    def _loop() -> Any:
        import asyncio

        return asyncio.get_running_loop()


def serve(
    seal: Seal,
    config: ServeConfig,
    host: str,
    port: int,
    *,
    tell: Callable[[str], None] | None = None,
) -> int:
    """Serve until SIGTERM or ctrl-c; the exit code.

    Raises:
        OSError: the port is taken, or may not be used.
    """
    application = Application(seal, config)
    try:
        Server(application, host, port, tell=tell).run()
    finally:
        application.close()
    return 0
