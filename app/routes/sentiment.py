"""POST /v1/sentiment."""

from fastapi import APIRouter

from app.house import EntryDep, SentimentDep
from app.routes.problems import problems
from app.schemas import SentimentPrediction, SentimentRequest, SentimentResponse, ServedModel, TimingMs

router = APIRouter(prefix="/v1", tags=["sentiment"])


@router.post("/sentiment", summary="Judge texts", responses=problems(413, 422, 500, 503))
async def sentiment(body: SentimentRequest, entry: EntryDep, runner: SentimentDep) -> SentimentResponse:
    """Probability that each text is positive. For opinions in English: reviews, comments, feedback.

    Of a text longer than the model reads, the beginning and the end are read.
    """
    predictions, timing = await runner.call(lambda run: runner.task.answer(run, body.texts))
    entry.answered(runner.predictor.manifest, len(predictions), timing)
    return SentimentResponse(
        request_id=entry.request_id,
        model=ServedModel.model_validate(runner.predictor.manifest),
        predictions=[SentimentPrediction.model_validate(prediction) for prediction in predictions],
        timing_ms=TimingMs.model_validate(timing),
    )
