"""GET /livez, /readyz, /metrics: for orchestrators and Prometheus."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from app.errors import Refusal
from app.house import EntryDep, house_of
from app.routes.problems import problems
from app.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Process alive")
async def livez() -> Health:
    """200 as long as the process answers at all: whoever restarts processes that hang asks here."""
    return Health(status="alive")


@router.get("/readyz", summary="Able to answer", response_model=Health, responses=problems("not_ready"))
async def readyz(request: Request, entry: EntryDep) -> Health | JSONResponse:
    """200 when every task has a model and the request log can be written; else 503 with the reasons. For load balancers."""
    found = await faults(request)
    if not found:
        return Health(status="ready")
    entry.failed("not_ready")
    detail = "; ".join(f"{name}: {reason}" for name, reason in found.items())
    return Refusal(503, "not_ready", detail).response(entry)


async def faults(request: Request) -> dict[str, str]:
    """What is in the way of an answer -> why: tasks without a model, `service`, `request_log`."""
    house = house_of(request)
    found = dict(house.registry.faults)
    if request.app.state.draining:
        found["service"] = "it is ending; what it has accepted is being answered"
    if fault := await house.request_log.fault():
        found["request_log"] = fault
    return found


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE_LATEST.partition(";")[0]: {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """What Prometheus scrapes, in its text format: requests, passes and their lines, the log; of several processes, of all."""
    ready = not await faults(request)
    return Response(request.app.state.metrics.text(ready), media_type=CONTENT_TYPE_LATEST)
