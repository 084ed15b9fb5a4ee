"""The address of an endpoint, which is printed in errors and so must not hold a secret."""

from __future__ import annotations

from urllib.parse import urlsplit


def check_address(name: str, address: str, key_option: str) -> None:
    """Raise a ValueError unless the option `name` is a plain http address.

    `key_option`: the one that names the environment variable of the key.
    """
    try:
        parts = urlsplit(address)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        sound = sound and (parts.port is None or parts.port > 0)  # a port out of range raises
    except ValueError:
        raise ValueError(f"{name} is not an address; one is like http://host:8000/v1") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            f"{name} must not hold a user, password or query: the key belongs into the "
            f"environment variable that {key_option} names"
        )
    if not sound:
        raise ValueError(f"{name}={address} must be like http://host:8000/v1")


def is_endpoint(name: str) -> bool:
    """Whether the name of a model is the address of a server."""
    return name.lower().startswith(("http://", "https://"))


def split_address(name: str) -> tuple[str, str | None]:
    """`http://host:8000/v1#model` as the address and the model; None: the one that is served."""
    address, _, model = name.partition("#")
    return address, model or None


def is_openai(address: str | None) -> bool:
    """Whether it is OpenAI's own; None is its default."""
    return address is None or urlsplit(address).hostname == "api.openai.com"
