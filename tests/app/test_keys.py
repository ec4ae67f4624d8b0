"""API keys on SQLite and PostgreSQL: made, read from memory, revoked, and their use recorded."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, text

from app import key_ring
from app.database import make_engine, migrate
from app.key_ring import KeyRing, KeysUnavailable
from app.keys import ApiKey, Unauthenticated, all_keys, create_key, revoke_key


@pytest.fixture
def migrated(engine: Engine) -> Engine:
    migrate(engine)
    return engine


@pytest.fixture
def queries(migrated: Engine) -> list[str]:
    """Every statement that reaches the database from now on."""
    seen: list[str] = []
    event.listen(migrated, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    return seen


def the_key(engine: Engine) -> ApiKey:
    (key,) = all_keys(engine)
    return key


def opened(engine: Engine, key: str, before: Callable[[], None] = lambda: None) -> str:
    """The id of the key, as a fresh ring finds it."""

    async def find() -> str:
        ring = KeyRing(engine)
        before()
        return (await ring.key(key)).key_id

    return asyncio.run(find())


def test_a_new_key_opens_and_its_secret_is_not_stored(migrated: Engine) -> None:
    key = create_key(migrated, "laptop", ["read_log", "predict"])
    row, (_, key_id, secret) = the_key(migrated), key.split("_", 2)
    assert (row.key_id, row.name, row.scopes, row.expires, row.last_used) == (key_id, "laptop", "predict read_log", None, None)
    assert row.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert len(secret) >= 43  # 256 bits, six a character
    with migrated.connect() as connection:
        assert secret not in str(connection.execute(text("SELECT * FROM api_keys")).all())
    assert opened(migrated, key) == key_id


def test_no_two_keys_are_alike(migrated: Engine) -> None:
    keys = {create_key(migrated, "same", ["predict"]) for _ in range(20)}
    assert len(keys) == len({key.split("_")[1] for key in keys}) == 20


@pytest.mark.parametrize(
    "spoil", [lambda key: key[:-1], lambda key: key + "A", lambda key: key[:-1] + "é", str.upper, lambda _: ""]
)
def test_what_is_not_the_whole_key_does_not_open(migrated: Engine, spoil: Callable[[str], str]) -> None:
    key = create_key(migrated, "laptop", ["predict"])
    with pytest.raises(Unauthenticated):
        opened(migrated, spoil(key))


def test_the_secret_of_one_key_does_not_open_another(migrated: Engine) -> None:
    first, second = (create_key(migrated, name, ["predict"]).split("_", 2) for name in "ab")
    with pytest.raises(Unauthenticated, match="no such API key"):
        opened(migrated, f"gate_{first[1]}_{second[2]}")


def test_an_expired_key_does_not_open(migrated: Engine) -> None:
    key = create_key(migrated, "guest", ["predict"], datetime.now(UTC) + timedelta(seconds=0.5))
    assert opened(migrated, key)
    with migrated.begin() as connection:
        connection.execute(text("UPDATE api_keys SET expires = '2020-01-01 00:00:00'"))
    with pytest.raises(Unauthenticated, match="has expired"):
        opened(migrated, key)
    assert the_key(migrated).state(datetime.now(UTC)) == "expired"


@pytest.mark.parametrize(
    ("name", "scopes", "said"),
    [
        ("", ["predict"], "name has 0"),
        ("x" * 65, ["predict"], "name has 65"),
        ("x", ["root"], "no scope root"),
        ("x", [], "one scope"),
    ],
)
def test_a_key_that_is_not_allowed_is_refused(migrated: Engine, name: str, scopes: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        create_key(migrated, name, scopes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is past"):
        create_key(migrated, "x", ["predict"], datetime(2020, 1, 1, tzinfo=UTC))
    assert all_keys(migrated) == []


def test_a_revoked_key_opens_no_longer_than_the_ring_believes_what_it_read(
    migrated: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_ring, "MOST_AGE_S", 0.5)
    key = create_key(migrated, "laptop", ["predict"])

    async def scenario() -> None:
        ring = KeyRing(migrated)
        await ring.key(key)
        revoke_key(migrated, key.split("_")[1])
        await ring.key(key)  # still believed
        await asyncio.sleep(0.6)
        with pytest.raises(Unauthenticated, match="was revoked"):
            await ring.key(key)

    asyncio.run(scenario())
    revoked = the_key(migrated).revoked
    revoke_key(migrated, key.split("_")[1])
    assert the_key(migrated).revoked == revoked


def test_a_revocation_is_effective_within_seconds() -> None:
    assert key_ring.MOST_AGE_S <= 5


def test_the_database_is_not_asked_for_each_request(migrated: Engine, queries: list[str]) -> None:
    key = create_key(migrated, "laptop", ["predict"])
    queries.clear()

    async def scenario() -> None:
        ring = KeyRing(migrated)
        await asyncio.gather(*(ring.key(key) for _ in range(500)))
        for _ in range(500):
            await ring.key(key)

    asyncio.run(scenario())
    assert len([query for query in queries if "FROM api_keys" in query]) == 1


def test_guesses_do_not_reach_the_database_one_by_one(migrated: Engine, queries: list[str]) -> None:
    async def scenario() -> None:
        ring = KeyRing(migrated)
        for _ in range(3):
            guesses = (ring.key(f"gate_{number:012x}_guess") for number in range(500))
            found = await asyncio.gather(*guesses, return_exceptions=True)
            assert {type(guess) for guess in found} == {Unauthenticated}

    asyncio.run(scenario())
    assert len([query for query in queries if "FROM api_keys" in query]) <= 6


def test_a_key_made_while_the_service_runs_opens_at_once(migrated: Engine) -> None:
    first = create_key(migrated, "first", ["predict"])

    async def scenario() -> None:
        ring = KeyRing(migrated)
        await ring.key(first)
        await ring.key(create_key(migrated, "second", ["predict"]))

    asyncio.run(scenario())


def test_use_is_recorded_by_and_by_and_not_each_time(migrated: Engine, queries: list[str]) -> None:
    key = create_key(migrated, "laptop", ["predict"])
    started = datetime.now(UTC) - timedelta(seconds=1)

    async def scenario() -> None:
        ring = KeyRing(migrated)
        for _ in range(100):
            await ring.key(key)
        assert not [query for query in queries if query.startswith("UPDATE")]
        await asyncio.sleep(1.5)
        for _ in range(100):
            await ring.key(key)
        await ring.close()

    asyncio.run(scenario())
    assert len([query for query in queries if query.startswith("UPDATE")]) == 1
    used = the_key(migrated).last_used
    assert used is not None
    assert started < used < datetime.now(UTC) + timedelta(seconds=1)


def test_closing_records_what_waits(migrated: Engine) -> None:
    key = create_key(migrated, "laptop", ["predict"])

    async def scenario() -> None:
        ring = KeyRing(migrated)
        await ring.key(key)
        await ring.close()

    asyncio.run(scenario())
    assert the_key(migrated).last_used is not None


def test_without_its_table_no_key_opens(engine: Engine) -> None:
    with pytest.raises(KeysUnavailable):
        opened(engine, "gate_0123456789ab_secret")


def test_without_its_database_no_key_is_believed_for_long(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ring, "MOST_AGE_S", 0.1)
    engine = make_engine(f"sqlite:///{tmp_path}/keys.db")
    migrate(engine)
    key = create_key(engine, "laptop", ["predict"])

    async def scenario() -> None:
        ring = KeyRing(engine)
        await ring.key(key)
        migrate(engine, "base")
        await asyncio.sleep(0.2)
        with pytest.raises(KeysUnavailable):
            await ring.key(key)

    asyncio.run(scenario())
    engine.dispose()


def test_rows_of_before_keys_outlive_the_migration_both_ways(engine: Engine) -> None:
    migrate(engine, "0001")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO requests (request_id, time, method, path, status, total_ms, request_bytes, response_bytes)"
                " VALUES ('old', '2026-01-02 03:04:05', 'GET', '/v1/models', 200, 1.5, 0, 9)"
            )
        )
    for revision in ("head", "-1", "head"):
        migrate(engine, revision)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT path, response_bytes FROM requests")).all() == [("/v1/models", 9)]
