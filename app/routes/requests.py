"""GET /v1/requests/{request_id}."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from app.entry import Entry
from app.house import EntryDep, HouseDep
from app.request_record import RequestRecord
from app.routes.problems import problems
from app.schemas import StoredRecord

router = APIRouter(prefix="/v1/requests", tags=["requests"])


@router.get("/{request_id}", summary="A stored record", responses=problems(404, 422, 500, 503))
async def stored_record(request_id: str, house: HouseDep, entry: EntryDep) -> StoredRecord:
    """The row of an answered request. It is there as soon as the answer is.

    Where API keys are asked for, a key without the scope `read_log` finds only the requests that it came with.
    """
    record = await house.request_log.read(request_id.lower())
    if record is None or not _may_read(entry, record):
        raise HTTPException(404, f"no record of a request {request_id[:40]!r}")
    return StoredRecord.model_validate(record)


def _may_read(entry: Entry, record: RequestRecord) -> bool:
    """Whose key may not read it is told that there is no such record: whether there is one is nothing to learn, either."""
    return entry.key is None or record.api_key_id == entry.key.key_id or entry.key.may("read_log")
