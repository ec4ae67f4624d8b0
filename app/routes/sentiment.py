"""POST /v1/sentiment."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request

from app.batcher import Batcher
from app.house import batcher_of, entry_of
from app.line import Timing
from app.routes.json_route import JsonRoute
from app.routes.problems import PREDICTION, problems
from app.schemas import SentimentRequest, SentimentResponse
from app.tasks.sentiment import EncodedText
from app.tasks.word_weights import WordWeight, word_weights

router = APIRouter(prefix="/v1", tags=["sentiment"], route_class=JsonRoute)


@router.post("/sentiment", summary="Judge texts", responses=problems(*PREDICTION))
async def sentiment(body: SentimentRequest, request: Request) -> SentimentResponse:
    """Probability that each text is positive. For opinions in English: reviews, comments, feedback.

    Of a text longer than the model reads, the beginning and the end are read. With `explain`, each prediction also says what
    every word read adds to the verdict: its Shapley value, estimated from many readings of parts of the text.
    """
    batcher, entry = batcher_of(request, "sentiment"), entry_of(request)
    predictions, timing = await batcher.predict(body.texts)
    observed = batcher.task.observed(predictions)
    if body.explain:
        weighing = _Weighing(batcher, timing)
        predictions = [
            {**vars(prediction), "words": await weighing.words(text)}
            for prediction, text in zip(predictions, body.texts, strict=True)
        ]
        timing = weighing.timing
    entry.answered(batcher.predictor.manifest, len(predictions), timing, observed)
    return SentimentResponse.model_validate(
        {
            "request_id": entry.request_id,
            "model": batcher.predictor.manifest,
            "predictions": predictions,
            "timing_ms": timing,
        }
    )


class _Weighing:
    """Has parts of texts read in the passes of everybody: one text at a time, so that it never asks for much at once."""

    def __init__(self, batcher: Batcher[Any, Any], timing: Timing) -> None:
        """`timing`: of the request so far, to which the readings add."""
        self._batcher, self.timing = batcher, timing

    async def words(self, text: str) -> list[WordWeight]:
        return await word_weights(self._batcher.predictor.task, text, self._log_odds)

    async def _log_odds(self, parts: Sequence[EncodedText]) -> list[float]:
        predictions, timing = await self._batcher.predict(parts)
        self.timing += timing
        return [prediction.log_odds for prediction in predictions]
