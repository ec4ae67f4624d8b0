"""Feedback: what the answer about an item should have been, which comes back later and is kept in the request's row."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select, update

from app.request_record import RequestRecord
from app.tasks.task import InvalidInput

KINDS = {"sentiment": "label", "rainfall": "rain_mm"}
"""Task -> what is told of its items; of a task that is not here there is nothing to tell."""

Said = dict[str, Any]


@dataclass(frozen=True)
class Feedback:
    """`kind` is one of KINDS, `value` a label or millimetres."""

    item: int
    kind: str
    value: str | float

    def check(self, record: RequestRecord) -> None:
        """Raises InvalidInput unless it can be said of this request."""
        if record.replay_of:
            raise InvalidInput(f"the request got the answer of another one again: tell it of {record.replay_of}")
        if not 200 <= record.status < 300 or record.items is None:
            raise InvalidInput(
                f"the request was answered with {record.status} and no answer of a model, so there is none to judge"
            )
        if record.task not in KINDS:
            raise InvalidInput(f"the request asked {record.task}, feedback is taken for {' and '.join(KINDS)}")
        if self.kind != KINDS[record.task]:
            raise InvalidInput(f"the request asked {record.task}, its feedback is {KINDS[record.task]}", f"/{self.kind}")
        if self.item >= record.items:
            raise InvalidInput(f"got {self.item}, the request has items 0 to {record.items - 1}", "/item")

    def keeping(self, request_id: str) -> Callable[[Connection], Said | None]:
        """Work for the log: puts it into the row, in place of what was said of the item before. None if the row is gone."""
        said = {self.kind: self.value, "time": datetime.now(UTC).isoformat(timespec="seconds")}

        def keep(connection: Connection) -> Said | None:
            own = RequestRecord.request_id == request_id
            # Locked where there are other processes: they may be told of another item of the same request.
            row = connection.execute(select(RequestRecord.feedback).where(own).with_for_update()).first()
            if row is None:
                return None
            before = row[0] or {}
            connection.execute(update(RequestRecord).where(own).values(feedback={**before, str(self.item): said}))
            return {**said, "replaced": str(self.item) in before}

        return keep
