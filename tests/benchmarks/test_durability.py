"""Every answer that a caller has is a row in the database, whatever is killed: a short run of the benchmark."""

from pathlib import Path

import pytest
from sqlalchemy import delete, update

from app.database import make_engine, migrate
from app.request_record import RequestRecord
from benchmarks.durability.audit import Audit
from benchmarks.durability.callers import QUESTIONS, Received
from benchmarks.durability.databases import FORMS
from benchmarks.durability.trial import trial
from tests.past_requests import store


@pytest.mark.parametrize(("form", "kills"), [("sqlite", 3), ("postgresql-too", 3)])
def test_no_answer_that_was_received_is_lost_to_a_kill(form: str, kills: int, tiny_models: Path, tmp_path: Path) -> None:
    outcome = trial(FORMS[form], kills, tiny_models, tmp_path)
    assert (outcome.lost, outcome.changed, outcome.duplicates, outcome.damage) == (0, 0, 0, None)
    assert {(question.name, question.status) for question in QUESTIONS} <= set(outcome.answers)
    assert outcome.further >= 0
    if form == "postgresql-too":
        return  # answers of 5xx are right while there is no database
    assert all(status < 500 for _, status in outcome.answers)


def test_the_audit_sees_what_is_lost_changed_and_doubled(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    engine = make_engine(url)
    migrate(engine)
    ids = [store(engine, 0, client_request_id=f"own-{number}")[0] for number in range(4)]
    received = [Received(each, f"own-{number}", "texts", "/v1/sentiment", 200) for number, each in enumerate(ids)]
    refused = Received("no row", "own-9", "texts", "/v1/sentiment", 503)
    audit = Audit(url)
    audit.check([*received, refused])
    assert (audit.lost, audit.changed, audit.duplicates(), audit.rows()) == (set(), set(), 0, 4)
    with engine.begin() as connection:
        connection.execute(delete(RequestRecord).where(RequestRecord.request_id == ids[0]))
        connection.execute(update(RequestRecord).where(RequestRecord.request_id == ids[1]).values(status=500))
        connection.execute(update(RequestRecord).where(RequestRecord.request_id == ids[2]).values(client_request_id="own-3"))
    audit.check(received)
    assert audit.lost == {ids[0]}
    assert audit.changed == {ids[1], ids[2]}
    assert audit.duplicates() == 1
    audit.close()
    engine.dispose()
