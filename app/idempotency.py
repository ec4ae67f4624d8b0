"""Idempotency keys (draft-ietf-httpapi-idempotency-key-header-07): a request that comes again gets the answer it got before.

A key is claimed before any work: a row in `idempotency_keys` that names the request. Once that one is answered, its row in the
log has the answer. A key without such a row is in flight; its claim ends with the process that made it, or after a while.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, CursorResult, String, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from app.log_rows import Place
from app.request_record import Base, RequestRecord, UtcDateTime
from app.tasks.task import InvalidInput

MOST_KEY = 255
_FORGOTTEN_AT_A_TIME = 1000
_MOST_FLIGHT = timedelta(minutes=5)  # longer than any answer takes: of a claim that old nobody is left who could end it
# RFC 8941: a String, in which only the quote and the backslash are escaped. Most clients send the key bare, as a Token or so.
KEY_PATTERN = rf'^(?:"((?:[ !#-\[\]-~]|\\["\\]){{1,{MOST_KEY}}})"|([!#-+\--:<-~]{{1,{MOST_KEY}}}))$'
"""How the field Idempotency-Key may look."""


class IdempotencyKeyReused(Exception):
    """The key came before, with another request."""

    def __init__(self) -> None:
        super().__init__("the Idempotency-Key came before with another request: a new request needs a new key")


class RequestInFlight(Exception):
    """The same request is being answered."""

    def __init__(self) -> None:
        super().__init__("a request with this Idempotency-Key is still being answered")


class StreamNotReplayed(Exception):
    """The answer was a stream, of which nothing is kept."""

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used for a stream, which is not sent twice")


class IdempotencyKey(Base):
    """A key of a caller, and the request that it came with first."""

    __tablename__ = "idempotency_keys"

    caller: Mapped[str] = mapped_column(String(80), primary_key=True)
    key: Mapped[str] = mapped_column(String(MOST_KEY), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(36))
    process_id: Mapped[int] = mapped_column(BigInteger)
    time: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent again. `stored`: the column `answer` of the row of `request_id`."""

    request_id: str
    status: int
    error_code: str | None
    stored: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """That a request is the one that uses a caller's key. `request_sha256` is over method, path and body."""

    caller: str
    key: str
    request_sha256: str
    request_id: str
    process_id: int

    def made(self, keep: timedelta) -> "Callable[[Connection], Answer | Exception | None]":
        """To be done within a commit: None if the claim holds from now on, else the answer to send again.

        What is in the way of both is returned, not raised: others' rows are to be committed with it.
        """
        return lambda connection: _claimed(connection, self, datetime.now(UTC) - keep)

    def ended(self, connection: Connection) -> None:
        """To be done within a commit: the key is as if it had never come."""
        connection.execute(delete(IdempotencyKey).where(*self.place, IdempotencyKey.request_id == self.request_id))

    @property
    def name(self) -> str:
        """The same for two claims of one key."""
        return f"key {self.caller} {self.key}"

    @property
    def place(self) -> tuple[Any, ...]:
        """Where the key's row is."""
        return IdempotencyKey.caller == self.caller, IdempotencyKey.key == self.key

    def values(self) -> dict[str, Any]:
        """What the row says from now on."""
        return {
            "request_sha256": self.request_sha256,
            "request_id": self.request_id,
            "process_id": self.process_id,
            "time": datetime.now(UTC),
        }


def given_key(headers: list[tuple[bytes, bytes]]) -> str:
    """The key of the one field Idempotency-Key: a String of RFC 8941, or the same without quotes. Raises InvalidInput."""
    fields = [value for name, value in headers if name == b"idempotency-key"]
    if len(fields) != 1:
        raise InvalidInput(f"there are {len(fields)} fields Idempotency-Key, allowed is one")
    text = fields[0].decode("latin-1").strip(" \t")
    if not (found := re.fullmatch(KEY_PATTERN, text)):
        raise InvalidInput(
            f"the Idempotency-Key ({len(text)} characters) is none, "
            f'allowed is a "string" of 1 to {MOST_KEY} printable ASCII characters'
        )
    return found[2] or re.sub(r"\\(.)", r"\1", found[1])


def fingerprint(method: str, path: str, body: bytes) -> str:
    """SHA-256, in hexadecimal, of what makes a request the same."""
    return hashlib.sha256(f"{method} {path}\n".encode() + body).hexdigest()


def forget(connection: Connection, keep: timedelta) -> int:
    """Keys that are older, then the answers that were kept for them, as `_taken_over` does. A thousand at a time; how many."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    is_old = IdempotencyKey.time < datetime.now(UTC) - keep
    request_ids = list(connection.scalars(select(IdempotencyKey.request_id).where(is_old).limit(_FORGOTTEN_AT_A_TIME)))
    if request_ids:
        connection.execute(delete(IdempotencyKey).where(is_old, IdempotencyKey.request_id.in_(request_ids)))
        connection.execute(update(RequestRecord).where(RequestRecord.request_id.in_(request_ids)).values(answer=None))
    return len(request_ids)


def claimants(connection: Connection) -> list[int]:
    """The processes that have keys in flight."""
    return list(connection.scalars(select(IdempotencyKey.process_id).distinct().where(*_in_flight())))


def end_claims(connection: Connection, process_ids: Iterable[int]) -> None:
    """Keys that were in flight when these processes ended are as if they had never come."""
    connection.execute(delete(IdempotencyKey).where(*_in_flight(), IdempotencyKey.process_id.in_(process_ids)))


def end_claims_of(connection: Connection, places: list[Place]) -> None:
    """Of requests whose rows are about to be removed, in the order of their time: nothing stays, and a young key without a row
    would look as if it were in flight."""
    around = IdempotencyKey.time.between(places[0].time - _MOST_FLIGHT, places[-1].time + _MOST_FLIGHT)
    request_ids = [place.request_id for place in places]
    connection.execute(delete(IdempotencyKey).where(around, IdempotencyKey.request_id.in_(request_ids)))


def _in_flight() -> tuple[Any, ...]:
    answered = select(RequestRecord.request_id).where(RequestRecord.request_id == IdempotencyKey.request_id).exists()
    return IdempotencyKey.time > datetime.now(UTC) - _MOST_FLIGHT, ~answered


def _claimed(connection: Connection, claim: Claim, oldest: datetime) -> Answer | Exception | None:
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(IdempotencyKey)
    values = {"caller": claim.caller, "key": claim.key, **claim.values()}
    connection.execute(insert.values(values).on_conflict_do_nothing(index_elements=["caller", "key"]))
    found = connection.execute(
        select(
            IdempotencyKey.request_id,
            IdempotencyKey.request_sha256,
            IdempotencyKey.time,
            RequestRecord.status,
            RequestRecord.error_code,
            RequestRecord.stream,
            RequestRecord.answer,
        )
        .outerjoin(RequestRecord, RequestRecord.request_id == IdempotencyKey.request_id)
        .where(*claim.place)
    ).one_or_none()
    if found is None:
        return RequestInFlight()  # it was in another process's way a moment ago, and is gone
    if found.request_id == claim.request_id:
        return None
    lost = found.status is None and found.time < datetime.now(UTC) - _MOST_FLIGHT
    refused = found.status is not None and found.answer is None and found.stream is None
    if lost or refused or found.time < oldest:
        return _taken_over(connection, claim, found.request_id)
    if found.request_sha256 != claim.request_sha256:
        return IdempotencyKeyReused()
    if found.status is None or found.stream == "started":
        return RequestInFlight()
    if found.stream:
        return StreamNotReplayed()
    return Answer(found.request_id, found.status, found.error_code, found.answer)


def _taken_over(connection: Connection, claim: Claim, request_id: str) -> Exception | None:
    """The key is this request's, unless another one was quicker. The answer that was kept for it is kept no longer."""
    taken: CursorResult[Any] = connection.execute(
        update(IdempotencyKey).where(*claim.place, IdempotencyKey.request_id == request_id).values(claim.values())
    )
    if taken.rowcount == 0:
        return RequestInFlight()
    connection.execute(update(RequestRecord).where(RequestRecord.request_id == request_id).values(answer=None))
    return None
