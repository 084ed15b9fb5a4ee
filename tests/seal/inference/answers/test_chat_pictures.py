from __future__ import annotations

import base64
import io
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from seal.inference.answers import chat_pictures
from seal.inference.answers.chat_pictures import ChatPictures

RNG = np.random.default_rng(0)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))


def decoded(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1])))


def silent(line: str) -> None:
    raise AssertionError(line)


def test_pixels_arrive_as_they_are_without_what_the_file_says_of_them() -> None:
    image = noise(37, 23)
    image.info |= {"icc_profile": b"profile", "gamma": 0.5, "dpi": (1, 1)}
    pictures = ChatPictures(None, silent)
    sent = decoded(pictures.url(pictures.prepare(image)))
    assert (sent.mode, sent.size) == ("RGB", (37, 23)) and sent.tobytes() == image.tobytes()
    assert not sent.info


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "I;16"])
def test_any_mode_is_sent_as_rgb(mode: str) -> None:
    image = Image.new(mode, (9, 5))
    pictures = ChatPictures(None, silent)
    assert decoded(pictures.url(pictures.prepare(image))).mode == "RGB"


def test_a_picture_goes_by_its_size_and_pixels() -> None:
    pictures = ChatPictures(None, silent)
    image = noise(12, 8)
    digest = pictures.prepare(image).digest
    assert pictures.prepare(image.copy()).digest == digest
    turned = Image.frombytes("RGB", (8, 12), image.tobytes())
    image.putpixel((3, 3), (1, 2, 3))
    assert len({digest, pictures.prepare(turned).digest, pictures.prepare(image).digest}) == 3


@pytest.mark.parametrize("size", [(400, 300), (1, 10_000), (10_000, 1), (101, 100), (3000, 20)])
def test_a_picture_beyond_the_budget_is_shown_within_it_and_told_once(
    size: tuple[int, int],
) -> None:
    told: list[str] = []
    pictures = ChatPictures(10_000, told.append)
    for _ in range(2):
        sent = pictures.prepare(Image.new("RGB", size)).image
        assert 0 < sent.width * sent.height <= 10_000
        if min(size) > 1:
            assert sent.width / sent.height == pytest.approx(size[0] / size[1], rel=0.15)
    resized = size[0] * size[1] > 10_000
    assert (len(told), pictures.resized) == ((1, 2) if resized else (0, 0))
    assert all("max_pixels=10000" in line and "raise max_pixels" in line for line in told)


def test_within_the_budget_nothing_changes() -> None:
    pictures = ChatPictures(100 * 100, silent)
    image = noise(100, 100)
    assert pictures.prepare(image).image.tobytes() == image.tobytes()


def test_few_encoded_pictures_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seal.inference.answers.chat_pictures._KEPT_BYTES", 20_000)
    pictures = ChatPictures(None, silent)
    sent = [pictures.prepare(noise(50, 50)) for _ in range(6)]  # 10 kB each, encoded
    first = [pictures.url(picture) for picture in sent]
    assert len(pictures._kept) == 1
    assert pictures.url(sent[-1]) is first[-1] and pictures.url(sent[0]) == first[0]


def test_many_threads_encode_a_picture_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encode, encoded = chat_pictures._encoded, []

    def slowly(image: Image.Image) -> str:
        encoded.append(image.size)
        time.sleep(0.05)
        return encode(image)

    monkeypatch.setattr(chat_pictures, "_encoded", slowly)
    pictures = ChatPictures(None, silent)
    sent = [pictures.prepare(noise(20, 10 + i % 3)) for i in range(3)]
    with ThreadPoolExecutor(12) as threads:
        urls = list(threads.map(pictures.url, sent * 8))
    assert sorted(encoded) == [(20, 10), (20, 11), (20, 12)]
    assert urls == urls[:3] * 8
    assert [decoded(url).tobytes() for url in urls[:3]] == [p.image.tobytes() for p in sent]


def test_a_picture_that_cannot_be_encoded_fails_for_all_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(image: Image.Image) -> str:
        time.sleep(0.05)
        raise MemoryError("no room")

    pictures = ChatPictures(None, silent)
    sent = pictures.prepare(noise(5, 5))
    with monkeypatch.context() as patched, ThreadPoolExecutor(4) as threads:
        patched.setattr(chat_pictures, "_encoded", never)
        for made in [threads.submit(pictures.url, sent) for _ in range(4)]:
            with pytest.raises(MemoryError):
                made.result()
    assert decoded(pictures.url(sent)).size == (5, 5)
