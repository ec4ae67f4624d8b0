"""POST /v1/rainfall."""

from fastapi import APIRouter, Request

from app.house import batcher_of, entry_of
from app.routes.json_route import JsonRoute
from app.routes.problems import PREDICTION, problems
from app.schemas import RainfallRequest, RainfallResponse
from app.tasks.rainfall import Hour

router = APIRouter(prefix="/v1", tags=["rainfall"], route_class=JsonRoute)


@router.post("/rainfall", summary="Estimate rain", responses=problems(*PREDICTION))
async def rainfall(body: RainfallRequest, request: Request) -> RainfallResponse:
    """Millimetres of rain in each hour at a gauge, from that hour's radar scans over it, with a 90 % interval.

    An hour in which every scan lacks `Ref` gets the estimate for no radar echo.
    """
    batcher, entry = batcher_of(request, "rainfall"), entry_of(request)
    hours = [Hour.from_scans(hour.radardist_km, [scan.model_dump() for scan in hour.scans]) for hour in body.hours]
    predictions, timing = await batcher.predict(hours)
    entry.answered(batcher.predictor.manifest, len(predictions), timing, batcher.task.observed(predictions))
    return RainfallResponse.model_validate(
        {
            "request_id": entry.request_id,
            "model": batcher.predictor.manifest,
            "predictions": predictions,
            "timing_ms": timing,
        }
    )
