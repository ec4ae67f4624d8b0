"""Tensors as values in Python and as bytes: little-endian, row by row, without padding (the binary tensor data extension)."""

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from app.open_inference.schemas import Datatype, RequestInput
from app.tasks.task import InvalidInput

_DTYPES = {"BOOL": "?", "INT32": "<i4", "INT64": "<i8", "FP64": "<f8"}
_LENGTH = struct.Struct("<I")  # stands before each element of BYTES


def to_bytes(datatype: Datatype, values: Sequence[Any]) -> bytes:
    """The values as the extension lays them out; of BYTES, strings in UTF-8."""
    if datatype != "BYTES":
        return np.array(values, dtype=_DTYPES[datatype]).tobytes()
    encoded = [value.encode() for value in values]
    return b"".join(part for value in encoded for part in (_LENGTH.pack(len(value)), value))


def strings_of_bytes(content: bytes, place: str) -> list[str]:
    """The elements of a BYTES tensor. Raises InvalidInput, which names `place`."""
    found: list[str] = []
    at = 0
    while at < len(content):
        start = at + _LENGTH.size
        if start > len(content):
            raise InvalidInput(f"element {len(found)} has {len(content) - at} bytes of the 4 that give its length", place)
        at = start + _LENGTH.unpack_from(content, start - _LENGTH.size)[0]
        if at > len(content):
            raise InvalidInput(f"element {len(found)} should have {at - start} bytes, {len(content) - start} are left", place)
        try:
            found.append(content[start:at].decode())
        except UnicodeDecodeError as error:
            raise InvalidInput(f"element {len(found)} is no UTF-8: {error.reason} at byte {error.start}", place) from error
    return found


def strings_of(tensor: RequestInput, place: str) -> list[str]:
    """The elements of a tensor of strings, row by row. Raises InvalidInput unless there are as many as its shape says."""
    shape = tensor.shape
    if len(shape) not in {1, 2} or shape[1:] not in ([], [1]):
        raise InvalidInput(f"got {ascii(shape)[:60]}, allowed are [n] and [n, 1]", f"{place}/shape")
    found = list(_flat(tensor.data or []))
    for position, element in enumerate(found):
        if not isinstance(element, str):
            got = type(element).__name__ if isinstance(element, dict) else ascii(element)[:60]
            raise InvalidInput(f"an element of BYTES should be a string (got {got})", f"{place}/data/{position}")
    if len(found) != math.prod(shape):
        raise InvalidInput(f"got {len(found)} elements, the shape {shape} has {math.prod(shape)}", f"{place}/data")
    return found


def _flat(data: list[Any]) -> Iterator[Any]:
    for element in data:
        if isinstance(element, list):
            yield from _flat(element)
        else:
            yield element
