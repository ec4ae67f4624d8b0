"""Bodies of the Open Inference Protocol: lengths that lie, shapes without end, bytes that are none of what they should be."""

import json
import struct
from typing import Any

from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from app.errors import refusal
from app.open_inference.exchange import HEADER_LENGTH, read
from app.open_inference.models import MODELS
from app.open_inference.question import Question
from app.open_inference.tensors import strings_of_bytes, to_bytes
from app.tasks.task import InvalidInput
from tests.fuzz.thoroughness import fuzzed

SIZES = st.integers(-5, 400) | st.sampled_from([2**31, 2**32 - 1, 2**63, 10**30, -(2**63)])
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | SIZES | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
LATIN = st.text(st.characters(max_codepoint=255), max_size=10)
ELEMENTS = st.lists(st.binary(max_size=20) | st.text(max_size=10).map(str.encode), max_size=5)
TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["text", "hour", "prompt"]) | st.text(max_size=5),
        "shape": st.lists(SIZES, max_size=3) | JUNK,
        "datatype": st.sampled_from(["BYTES", "FP32", "bytes"]) | JUNK,
    },
    optional={
        "data": JUNK | st.lists(st.text(max_size=5), max_size=3),
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": SIZES | JUNK, "content_type": JUNK}) | JUNK,
    },
)
BODIES = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, max_size=3)},
    optional={
        "id": JUNK,
        "outputs": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["label", "abc"]) | JUNK}, optional={"parameters": JUNK}), max_size=3
        ),
        "parameters": st.dictionaries(st.sampled_from(["binary_data_output", "seed", "x"]), JUNK) | JUNK,
    },
)


def asked(headers: dict[str, str], body: bytes, name: str) -> Question | None:
    """None for what is refused, with a message that can be sent."""
    try:
        return Question.of(MODELS[name], read(Headers(headers), body))
    except (InvalidInput, RequestValidationError, HTTPException) as error:
        refused = refusal(error)
        assert 400 <= refused.status < 500
        assert len(json.dumps(refused.problem("id").model_dump()).encode()) < 20_000
        return None


@fuzzed
@given(BODIES, ELEMENTS, st.binary(max_size=30), st.none() | SIZES | LATIN, st.sampled_from(sorted(MODELS)))
def test_any_body_is_a_question_or_refused(
    body: dict[str, Any], elements: list[bytes], rest: bytes, length: int | str | None, name: str
) -> None:
    header = json.dumps(body).encode()
    behind = b"".join(struct.pack("<I", len(element)) + element for element in elements) + rest
    headers = {} if length is None else {HEADER_LENGTH: str(len(header) if isinstance(length, int) and length > 9 else length)}
    question = asked(headers, header + behind, name)
    if question:
        assert all(isinstance(text, str) for text in question.strings)
        assert question.outputs


@fuzzed
@given(st.binary(max_size=400), st.none() | SIZES)
def test_any_bytes_are_a_question_or_refused(body: bytes, length: int | None) -> None:
    asked({} if length is None else {HEADER_LENGTH: str(length)}, body, "sentiment")


@fuzzed
@given(st.lists(st.text(max_size=12), max_size=8))
def test_strings_come_back_from_their_bytes(strings: list[str]) -> None:
    assert strings_of_bytes(to_bytes("BYTES", strings), "/x") == strings


@fuzzed
@given(st.lists(st.text(max_size=12), min_size=1, max_size=8), st.data())
def test_damaged_bytes_are_strings_or_refused(strings: list[str], data: st.DataObject) -> None:
    content = bytearray(to_bytes("BYTES", strings))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    try:
        found = strings_of_bytes(bytes(content), "/x")
    except InvalidInput:
        return
    assert to_bytes("BYTES", found) == bytes(content)


def test_a_shape_without_end_is_refused_in_a_line() -> None:
    for shape in ([1] * 300_000, [10**4000], [10**4000, 1], [0, 10**4000, 0]):
        body = {"inputs": [{"name": "text", "shape": shape, "datatype": "BYTES", "data": ["a"]}]}
        assert asked({}, json.dumps(body).encode(), "sentiment") is None


def test_names_without_end_are_refused_in_a_line() -> None:
    body = {"inputs": [{"name": "n" * 1_000_000, "shape": [1], "datatype": "BYTES", "data": ["a"]}]}
    assert asked({}, json.dumps(body).encode(), "sentiment") is None
    body = {"inputs": [{"name": "text", "shape": [1], "datatype": "d" * 1_000_000, "data": ["a"]}]}
    assert asked({}, json.dumps(body).encode(), "sentiment") is None
