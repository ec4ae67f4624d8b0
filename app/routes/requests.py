"""GET /v1/requests/{request_id}, POST /v1/requests/{request_id}/feedback."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException

from app.entry import Entry
from app.house import EntryDep, House, HouseDep
from app.record_schemas import FeedbackReceipt, FeedbackRequest, StoredRecord
from app.request_record import RequestRecord
from app.routes.problems import problems

router = APIRouter(prefix="/v1/requests", tags=["requests"])

RequestId = Annotated[
    str,
    Path(
        description="What the answer said in `X-Request-ID`. The example is that of no request: 404.",
        examples=["0199f0c2-0000-7000-8000-000000000000"],
    ),
]


@router.get(
    "/{request_id}",
    summary="A stored record",
    responses=problems("not_found", "invalid_request", "internal_error", "log_unavailable"),
)
async def stored_record(request_id: RequestId, house: HouseDep, entry: EntryDep) -> StoredRecord:
    """The row of an answered request: what was asked, when and by whom, which model answered, and how long it took.

    It is there as soon as the answer is.

    Where API keys are asked for, a key without the scope `read_log` finds only the requests that it came with.
    """
    return StoredRecord.model_validate(await _record(request_id, house, entry))


@router.post(
    "/{request_id}/feedback",
    summary="What was right",
    responses=problems("not_found", "body_too_large", "invalid_request", "internal_error", "log_unavailable"),
)
async def feedback(request_id: RequestId, body: FeedbackRequest, house: HouseDep, entry: EntryDep) -> FeedbackReceipt:
    """Tells what the answer about one item of a request should have been, once that is known.

    It is kept with the request's record, which shows it; what is told of the same item later takes its place. `/v1/stats`
    says how right the answers were, and `gatehouse data from-log` makes training data of it. Whoever may read a record may
    tell something of it.
    """
    told = body.feedback
    record = await _record(request_id, house, entry)
    told.check(record)
    kept = await house.request_log.change(told.keeping(record.request_id), f"record {record.request_id}")
    if kept is None:
        raise _no_record(request_id)  # removed just now
    return FeedbackReceipt(request_id=record.request_id, item=told.item, **kept)


async def _record(request_id: str, house: House, entry: Entry) -> RequestRecord:
    """Raises HTTPException (404), LogUnavailable."""
    record = await house.request_log.read(request_id.lower())
    if record is None or not _may_read(entry, record):
        raise _no_record(request_id)
    return record


def _no_record(request_id: str) -> HTTPException:
    return HTTPException(404, f"no record of a request {request_id[:40]!r}")


def _may_read(entry: Entry, record: RequestRecord) -> bool:
    """Whose key may not read it is told that there is no such record: whether there is one is nothing to learn, either."""
    return entry.key is None or record.api_key_id == entry.key.key_id or entry.key.may("read_log")
