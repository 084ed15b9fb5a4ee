from __future__ import annotations

import pytest

from seal.endpoint.address import check_address, is_endpoint, is_openai, split_address


def test_the_address_of_a_server_is_told_from_the_name_of_a_model() -> None:
    assert is_endpoint("http://127.0.0.1:8000/v1#m") and is_endpoint("HTTPS://api.host/v1")
    assert not any(map(is_endpoint, ("Qwen/Qwen3-VL-8B-Instruct", "/a/http://x", "", "httpx/m")))


def test_the_model_stands_behind_the_address() -> None:
    assert split_address("http://h:1/v1#org/m-7b") == ("http://h:1/v1", "org/m-7b")
    assert split_address("http://h:1/v1#m#2") == ("http://h:1/v1", "m#2")
    assert (
        split_address("http://h:1/v1") == split_address("http://h:1/v1#") == ("http://h:1/v1", None)
    )


def test_openai_is_the_default_or_named() -> None:
    assert is_openai(None) and is_openai("https://api.openai.com/v1")
    assert not is_openai("http://api.openai.com.host/v1")


@pytest.mark.parametrize("address", ["host:8000/v1", "ftp://h/v1", "http://", "", "http://h:0/v1"])
def test_what_is_no_address_is_told_with_one_that_is(address: str) -> None:
    with pytest.raises(ValueError, match=r"vqa=.* must be like http://host:8000/v1"):
        check_address("vqa", address, "api_key_env")


@pytest.mark.parametrize("address", ["http://h:99999/v1", "http://[::1/v1"])
def test_what_cannot_be_read_as_an_address_is_told(address: str) -> None:
    with pytest.raises(ValueError, match="vqa is not an address"):
        check_address("vqa", address, "api_key_env")
