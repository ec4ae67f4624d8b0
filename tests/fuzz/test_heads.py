"""Whatever stands in the head of a request is read or refused: keys, ids, hosts, content types."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from app.door import Door, TooManyHeaders, UnknownHost
from app.entry import Entry
from app.keys import Key, Unauthenticated, split_key
from app.middleware import _client_request_id
from app.routes.json_route import is_json
from app.settings import Settings
from app.tasks.task import InvalidInput
from tests.fuzz.thoroughness import fuzzed

LATIN = st.text(st.characters(max_codepoint=255))
"""What a field of a head can hold, as it is read."""
FIELD = LATIN.map(lambda text: text.encode("latin-1")) | st.binary(max_size=300)


@fuzzed
@given(LATIN | st.text("gate_0", max_size=30))
def test_a_key_is_split_or_refused_and_opens_nothing_by_chance(given_key: str) -> None:
    try:
        key_id, secret = split_key(given_key)
    except Unauthenticated:
        return
    assert given_key == f"gate_{key_id}_{secret}"
    assert not Key("0" * 12, bytes(32), frozenset(), None, revoked=False).opens_with(secret)


@fuzzed
@given(FIELD)
def test_an_id_of_the_caller_is_printable_or_refused(raw: bytes) -> None:
    try:
        given_id = _client_request_id([(b"x-client-request-id", raw)])
    except InvalidInput:
        return
    assert given_id is not None
    assert given_id.encode() == raw
    assert 1 <= len(raw) <= 128
    assert all(32 <= byte < 127 for byte in raw)


@fuzzed
@given(LATIN | st.text("application/json;+=\"'\\*%0 charset,()<>@", max_size=60))
def test_a_content_type_is_json_or_not(content_type: str) -> None:
    if is_json(content_type):
        assert "json" in content_type.lower()


@fuzzed
@given(FIELD | st.text("[]:@/.example0%", max_size=30).map(str.encode), st.sampled_from(["/v1/models", "/metrics", "/x"]))
def test_a_host_is_known_or_refused(host: bytes, path: str) -> None:
    settings = Settings(trusted_hosts="example.org,*.example.com", _env_file=None)
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 5),
        "headers": [(b"host", host)],
    }
    try:
        asyncio.run(Door(settings).admit(scope, Entry.of(scope)))
    except (UnknownHost, HTTPException, TooManyHeaders):
        return
    assert path == "/metrics" or b"example." in host.lower()


@fuzzed
@given(st.binary(max_size=2000), st.text(max_size=40))
def test_a_path_is_kept_as_printable_ascii(raw: bytes, path: str) -> None:
    kept = Entry.of({"type": "http", "method": "GET", "path": path, "raw_path": raw}).path
    assert len(kept) <= 512
    assert kept.isascii()
    assert kept.isprintable()
