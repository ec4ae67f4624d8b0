"""GET /livez, /readyz, /metrics: for orchestrators and Prometheus."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from app.errors import Refusal
from app.house import EntryDep, HouseDep
from app.routes.problems import problems
from app.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Process alive")
async def livez() -> Health:
    """200 as long as the process answers at all."""
    return Health(status="alive")


@router.get("/readyz", summary="Able to answer", response_model=Health, responses=problems(503))
async def readyz(house: HouseDep, entry: EntryDep) -> Health | JSONResponse:
    """200 when every task has a model and the request log can be written; else 503 with the reasons."""
    faults = dict(house.registry.faults)
    if fault := await house.request_log.fault():
        faults["request_log"] = fault
    if not faults:
        return Health(status="ready")
    entry.failed("not_ready")
    detail = "; ".join(f"{name}: {reason}" for name, reason in faults.items())
    return Refusal(503, "not_ready", detail).response(entry.request_id)


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """The text exposition format."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
