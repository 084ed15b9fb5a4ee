"""Join the CRC-32 of two pieces of a file into that of both, without reading them again."""

from __future__ import annotations

from functools import lru_cache

_POLYNOMIAL = 0xEDB88320  # CRC-32 of zlib, the lowest power in the highest bit
_ONE = 1 << 31  # the polynomial 1 in that order
_X = 1 << 30  # the polynomial x


def combine_crc32(first: int, second: int, length: int) -> int:
    """What `zlib.crc32(a + b)` is, from that of `a`, that of `b` and the bytes of `b`.

    Appending `length` bytes multiplies a CRC by x^(8 * length) modulo the polynomial.
    """
    return _multiply(_power_of_x(8 * length), first) ^ second


@lru_cache(maxsize=4096)  # fragments come in few lengths
def _power_of_x(exponent: int) -> int:
    result, square = _ONE, _X
    while exponent:
        if exponent & 1:
            result = _multiply(square, result)
        square = _multiply(square, square)
        exponent >>= 1
    return result


def _multiply(a: int, b: int) -> int:
    """The product of two polynomials over two elements, modulo the CRC's."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = a << 1 & 0xFFFFFFFF
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product
