"""The KeyRing: all API keys in memory, so that no request waits for the database because of its key."""

import asyncio
import logging
import time
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.keys import Key, Unauthenticated, all_keys, record_use, split_key

log = logging.getLogger(__name__)

MOST_AGE_S = 5.0
"""A key that was revoked opens nothing after this time: what was read earlier is read anew before it is believed."""

_LEAST_AGE_S = 0.2  # unknown ids make it read no more often than this, whoever sends them
_MOST_WAIT_S = 5.0
_BETWEEN_USES_S = 60.0
_GATHER_USES_S = 1.0


class KeysUnavailable(Exception):
    """The table of keys could not be read."""


class KeyRing:
    """Used from one event loop. Keys are read all at once: a table of thousands is a few milliseconds every few seconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._keys: dict[str, Key] = {}
        self._read_at_s = -float("inf")
        self._reading: asyncio.Task[None] | None = None
        self._noted_s: dict[str, float] = {}
        self._used: dict[str, datetime] = {}
        self._recording: asyncio.Task[None] | None = None

    async def key(self, given: str) -> Key:
        """The valid key that this is. Raises Unauthenticated, KeysUnavailable."""
        key_id, secret = split_key(given)
        if time.monotonic() - self._read_at_s > MOST_AGE_S:
            await self._read()
        key = self._keys.get(key_id) or await self._new_key(key_id)
        if key is None or not key.opens_with(secret):
            raise Unauthenticated("there is no such API key", given=True)
        now_s = time.time()
        if key.revoked:
            raise Unauthenticated(f"the API key {key_id} was revoked", given=True)
        if key.expires_s is not None and key.expires_s <= now_s:
            raise Unauthenticated(f"the API key {key_id} has expired", given=True)
        if now_s - self._noted_s.get(key_id, 0) > _BETWEEN_USES_S:
            self._note(key_id, now_s)
        return key

    async def close(self) -> None:
        """Records the uses that wait."""
        if self._recording:
            self._recording.cancel()
        await self._record()

    async def _new_key(self, key_id: str) -> Key | None:
        """One that was made since the keys were read. A guess waits as long, and many guesses for the same reading."""
        arrived_s = time.monotonic()
        await asyncio.sleep(max(0, self._read_at_s + _LEAST_AGE_S - arrived_s))
        while self._read_at_s < arrived_s:
            await self._read()
        return self._keys.get(key_id)

    async def _read(self) -> None:
        """Whoever needs it meanwhile waits for the same reading."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all())
        try:
            await asyncio.wait_for(asyncio.shield(self._reading), _MOST_WAIT_S)
        except (TimeoutError, SQLAlchemyError) as error:
            log.warning("the API keys could not be read: %s", type(error).__name__)
            raise KeysUnavailable from error

    async def _read_all(self) -> None:
        started_s = time.monotonic()
        rows = await asyncio.to_thread(all_keys, self._engine)
        self._keys = {row.key_id: Key.of(row) for row in rows}
        self._read_at_s = started_s

    def _note(self, key_id: str, now_s: float) -> None:
        """At most once a minute a key; written by and by, together with others."""
        self._noted_s[key_id] = now_s
        self._used[key_id] = datetime.fromtimestamp(now_s, UTC)
        if self._recording is None or self._recording.done():
            self._recording = asyncio.create_task(self._record(_GATHER_USES_S))

    async def _record(self, wait_s: float = 0) -> None:
        await asyncio.sleep(wait_s)
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await asyncio.to_thread(record_use, self._engine, used)
        except SQLAlchemyError as error:
            log.warning("the last uses of %d API keys could not be recorded: %s", len(used), type(error).__name__)
