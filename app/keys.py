"""API keys: the table, and what may be done with it.

A key is `gate_ID_SECRET`. ID is public: it names the key in lists, in the log and in the table. SECRET is 256 random bits,
shown once; the table holds its SHA-256. A slow hash, made for passwords that people choose, would bring nothing: nobody can
guess 256 random bits, however fast the guesses, and a slow hash would cost its time with every request.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Literal, get_args

from sqlalchemy import Engine, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.request_record import Base, UtcDateTime

Scope = Literal["predict", "read_log", "metrics", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""predict: ask models and list them; read_log: any caller's records; metrics: no model and no other's record, but
/metrics, which every key opens; admin: everything."""

_PREFIX = "gate"
_MOST_NAME = 64


class Unauthenticated(Exception):
    """No key, or one that is not valid (any more); `given` says whether there was one."""

    def __init__(self, detail: str, given: bool) -> None:
        super().__init__(detail)
        self.given = given


class Forbidden(Exception):
    """A valid key that lacks a scope."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"the API key lacks the scope {scope}")
        self.scope = scope


class ApiKey(Base):
    """One key. Never deleted, so that the log's `api_key_id` always finds whose it was."""

    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(_MOST_NAME))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    expires: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def state(self, now: datetime) -> str:
        """`valid`, `revoked` or `expired`."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and self.expires <= now else "valid"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the service holds it in memory. `expires_s` counts as time.time() does."""

    key_id: str
    secret_sha256: bytes
    scopes: frozenset[str]
    expires_s: float | None
    revoked: bool

    @classmethod
    def of(cls, row: ApiKey) -> "Key":
        return cls(
            row.key_id,
            bytes.fromhex(row.secret_sha256),
            frozenset(row.scopes.split()),
            row.expires.timestamp() if row.expires else None,
            row.revoked is not None,
        )

    def opens_with(self, secret: str) -> bool:
        """Takes the same time wherever the two differ."""
        return compare_digest(hashlib.sha256(secret.encode()).digest(), self.secret_sha256)

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes


def split_key(key: str) -> tuple[str, str]:
    """ID and secret. Raises Unauthenticated for what cannot be a key."""
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != _PREFIX or not secret:
        raise Unauthenticated(f"the API key is malformed, allowed is {_PREFIX}_ID_SECRET", given=True)
    return key_id, secret


def create_key(engine: Engine, name: str, scopes: Iterable[Scope], expires: datetime | None = None) -> str:
    """A new key, whole: its secret is stored nowhere. Raises ValueError for a name, a scope or an end that is not allowed."""
    if not 1 <= len(name) <= _MOST_NAME or not name.isprintable():
        raise ValueError(f"the name has {len(name)} characters, allowed are 1 to {_MOST_NAME} printable ones")
    wanted, now = sorted(set(scopes)), datetime.now(UTC)
    if unknown := set(wanted) - set(SCOPES):
        raise ValueError(f"no scope {', '.join(sorted(unknown))}; there are {', '.join(SCOPES)}")
    if not wanted:
        raise ValueError(f"a key needs at least one scope of {', '.join(SCOPES)}")
    if expires and expires <= now:
        raise ValueError(f"the key would expire at {expires.isoformat()}, which is past")
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    with Session(engine) as session, session.begin():
        session.add(
            ApiKey(key_id=key_id, name=name, secret_sha256=digest, scopes=" ".join(wanted), created=now, expires=expires)
        )
    return f"{_PREFIX}_{key_id}_{secret}"


def all_keys(engine: Engine) -> list[ApiKey]:
    """Every key there ever was, the oldest first."""
    with Session(engine) as session:
        return list(session.scalars(select(ApiKey).order_by(ApiKey.created, ApiKey.key_id)))


def revoke_key(engine: Engine, key_id: str) -> None:
    """For good; again does nothing. Raises ValueError if there is no such key."""
    with Session(engine) as session, session.begin():
        key = session.get(ApiKey, key_id)
        if key is None:
            raise ValueError(f"no API key {key_id[:40]!r}")
        key.revoked = key.revoked or datetime.now(UTC)


def record_use(engine: Engine, used: dict[str, datetime]) -> None:
    """When each of these keys was last used."""
    with engine.begin() as connection:
        for key_id, time in used.items():
            connection.execute(update(ApiKey).where(ApiKey.key_id == key_id).values(last_used=time))
