"""What a request is refused with: a status, and one line in the form of OpenAI's errors."""

from __future__ import annotations

from typing import Any

LONGEST = 500  # characters of a message

_TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
    504: "timeout_error",
}


class RequestError(Exception):
    """Ends a request; whoever sent it is told."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        close: bool = False,
    ) -> None:
        """`param`: the field that is wrong. `close`: the connection is of no more use."""
        super().__init__(message)
        self.status, self.param, self.code = status, param, code
        self.headers = dict(headers or {}) | ({"connection": "close"} if close else {})

    def body(self) -> dict[str, Any]:
        """JSON-able; the message on one line, without characters that are no text."""
        line = " ".join(str(self).split()).encode("utf-8", "replace").decode()
        line = "".join(c if c.isprintable() else "?" for c in line)
        if len(line) > LONGEST:
            line = line[: LONGEST - 4] + " ..."
        kind = _TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": line, "type": kind, "param": self.param, "code": self.code}}


def bad(message: str, param: str | None = None, code: str | None = None) -> RequestError:
    """What is wrong with a request as it was written."""
    return RequestError(400, message, param=param, code=code)
