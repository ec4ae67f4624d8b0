"""What comes over one connection: bodies behind offers of other protocols, and fields with spaces."""

import json
import time
from collections.abc import Callable
from typing import BinaryIO

import httpx
import pytest

from app import examples
from app.database import make_engine
from app.keys import create_key
from app.settings import Settings
from tests.app.test_listening import connected

Serve = Callable[[Settings], httpx.Client]


@pytest.mark.parametrize("pause_s", [0, 0.2])
@pytest.mark.parametrize("offer", ["h2c", "websocket", "TLS/1.0"])
def test_an_offer_of_another_protocol_is_ignored_and_the_body_read(
    serve: Serve, settings: Settings, offer: str, pause_s: float
) -> None:
    body = json.dumps(examples.SENTIMENT).encode()
    asked = [
        b"POST /v1/sentiment HTTP/1.1",
        b"Host: test",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
    ]
    head = b"\r\n".join([*asked, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + offer.encode(), b"", b""])
    with connected(serve(settings)) as connection:
        reader = connection.makefile("rb")
        for _ in range(2):
            connection.sendall(head if pause_s else head + body)
            time.sleep(pause_s)
            connection.sendall(body if pause_s else b"")
            assert answer_from(reader)[0] == 200
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" * 3)
        assert [answer_from(reader)[0] for _ in range(3)] == [200, 200, 200]


def test_a_body_after_an_offer_is_no_request(serve: Serve, settings: Settings) -> None:
    body = b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n"
    head = b"POST /v1/cells HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    with connected(serve(settings)) as connection:
        reader = connection.makefile("rb")
        connection.sendall(head + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        connection.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) + b"GET /nope HTTP/1.1\r\nHost: test\r\n\r\n")
        assert [answer_from(reader)[0] for _ in range(2)] == [422, 404]


def test_an_offer_with_a_body_of_unknown_length_is_refused(serve: Serve, settings: Settings) -> None:
    head = b"POST /v1/cells HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: gzip\r\n\r\n"
    with connected(serve(settings)) as connection:
        connection.sendall(head + b"x")
        assert b" 400 " in connection.makefile("rb").readline()


@pytest.mark.parametrize("field", ["X-Client-Request-Id: mine \t", "Authorization: Bearer %s ", "X-API-Key: %s\t "])
def test_spaces_after_a_field_s_value_are_no_part_of_it(serve: Serve, settings: Settings, field: str) -> None:
    client = serve(settings.model_copy(update={"auth": "keys"}))
    secret = create_key(make_engine(settings.database_url), "one", ["predict"])
    sent = field.replace("%s", secret)
    if "mine" in sent:
        sent += f"\r\nX-API-Key: {secret}"
    with connected(client) as connection:
        connection.sendall(f"GET /v1/models HTTP/1.1\r\nHost: test\r\n{sent}\r\n\r\n".encode())
        status, headers = answer_from(connection.makefile("rb"))
    assert status == 200
    assert headers.get("x-client-request-id", "mine") == "mine"


def answer_from(reader: BinaryIO) -> tuple[int, dict[str, str]]:
    """The status and the fields of the next answer; its body is read."""
    status = int(reader.readline().split()[1])
    fields = dict(line.decode().strip().lower().split(": ", 1) for line in iter(reader.readline, b"\r\n"))
    reader.read(int(fields["content-length"]))
    return status, fields
