"""GET /v1/requests/{request_id}."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from app.house import HouseDep
from app.routes.problems import problems
from app.schemas import StoredRecord

router = APIRouter(prefix="/v1/requests", tags=["requests"])


@router.get("/{request_id}", summary="A stored record", responses=problems(404, 422, 500, 503))
def stored_record(request_id: str, house: HouseDep) -> StoredRecord:
    """The row of an answered request. It is there as soon as the answer is."""
    record = house.request_log.find(request_id.lower())
    if record is None:
        raise HTTPException(404, f"no record of a request {request_id[:40]!r}")
    return StoredRecord.model_validate(record)
