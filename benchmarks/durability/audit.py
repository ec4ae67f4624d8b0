"""Answers that callers have, beside the rows of the database."""

from collections.abc import Sequence
from itertools import islice

from sqlalchemy import func, select

from app.database import make_engine
from app.request_record import RequestRecord
from benchmarks.durability.callers import Received

_IDS_A_QUERY = 500


class Audit:
    """Looks into the database by itself, past the service. `lost` and `changed` are request ids.

    Answers of 5xx are left out: the service says with them that it could not do its work, and promises no row.
    """

    def __init__(self, url: str) -> None:
        self._engine = make_engine(url)
        self.lost: set[str] = set()
        self.changed: set[str] = set()

    def check(self, received: Sequence[Received]) -> None:
        """Whether each has its row, with the status, the path and the caller's id that belong to it."""
        answers = iter([answer for answer in received if answer.status < 500])
        record = RequestRecord
        while some := {answer.request_id: answer for answer in islice(answers, _IDS_A_QUERY)}:
            query = select(record.request_id, record.status, record.path, record.client_request_id)
            with self._engine.connect() as connection:
                rows = {row[0]: tuple(row[1:]) for row in connection.execute(query.where(record.request_id.in_(some)))}
            for request_id, answer in some.items():
                if request_id not in rows:
                    self.lost.add(request_id)
                elif rows[request_id] != (answer.status, answer.path, answer.client_request_id):
                    self.changed.add(request_id)

    def rows(self) -> int:
        """All that the callers' requests have left, answered or not."""
        with self._engine.connect() as connection:
            counted = select(func.count()).where(RequestRecord.client_request_id.is_not(None))
            return connection.scalar(counted) or 0

    def duplicates(self) -> int:
        """Requests with more than one row: each was sent once, with an id of its caller's own."""
        own_id = RequestRecord.client_request_id
        doubled = select(own_id).where(own_id.is_not(None)).group_by(own_id).having(func.count() > 1).subquery()
        with self._engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(doubled)) or 0

    def damage(self) -> str | None:
        """What SQLite's own check finds wrong with its file; None for PostgreSQL, which checks its pages itself."""
        if self._engine.dialect.name != "sqlite":
            return None
        with self._engine.connect() as connection:
            found = str(connection.exec_driver_sql("PRAGMA integrity_check").scalar())
        return None if found == "ok" else found

    def close(self) -> None:
        self._engine.dispose()
