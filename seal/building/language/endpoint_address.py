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
    except ValueError:
        raise ValueError(f"{name} is not an address") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            f"{name} must not hold a user, password or query: the key belongs into the "
            f"environment variable that {key_option} names"
        )
    if not sound:
        raise ValueError(f"{name}={address} must be like http://host:8000/v1")
