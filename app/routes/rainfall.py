"""POST /v1/rainfall."""

from fastapi import APIRouter

from app.house import EntryDep, RainfallDep
from app.routes.problems import problems
from app.schemas import RainfallPrediction, RainfallRequest, RainfallResponse, ServedModel, TimingMs
from app.tasks.rainfall import Hour

router = APIRouter(prefix="/v1", tags=["rainfall"])


@router.post("/rainfall", summary="Estimate rain", responses=problems(413, 422, 500, 503))
async def rainfall(body: RainfallRequest, entry: EntryDep, runner: RainfallDep) -> RainfallResponse:
    """Millimetres of rain in each hour at a gauge, from that hour's radar scans over it, with a 90 % interval.

    An hour in which every scan lacks `Ref` gets the estimate for no radar echo.
    """
    hours = [Hour.from_scans(hour.radardist_km, [scan.model_dump() for scan in hour.scans]) for hour in body.hours]
    predictions, timing = await runner.call(lambda run: runner.task.answer(run, hours))
    entry.answered(runner.predictor.manifest, len(predictions), timing)
    return RainfallResponse(
        request_id=entry.request_id,
        model=ServedModel.model_validate(runner.predictor.manifest),
        predictions=[RainfallPrediction.model_validate(prediction) for prediction in predictions],
        timing_ms=TimingMs.model_validate(timing),
    )
