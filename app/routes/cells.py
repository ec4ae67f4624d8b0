"""POST /v1/cells."""

from typing import Any

from fastapi import APIRouter, Request

from app.house import entry_of, house_of
from app.routes.json_route import JsonRoute
from app.routes.problems import PREDICTION, problems
from app.schemas_cells import CellsRequest, CellsResponse
from app.tasks.cells import CellReading

router = APIRouter(prefix="/v1", tags=["cells"], route_class=JsonRoute)

_DECIMALS = 4


@router.post("/cells", summary="Look inside cells", responses=problems(*PREDICTION))
async def cells(body: CellsRequest, request: Request) -> CellsResponse:
    """The gates and states of a small RNN, LSTM and GRU while each reads a text and judges it after every word.

    A demonstration for teaching: to judge texts, ask `/v1/sentiment`. The service is ready without it; where its bundle is
    missing or bad this is answered with 503 `task_unavailable`.
    """
    house, entry = house_of(request), entry_of(request)
    reading, timing = await house.demonstration.read(body.text)
    manifest = house.demonstration.predictor.manifest
    entry.answered(manifest, 1, timing, {})
    return CellsResponse.model_validate(
        {
            "request_id": entry.request_id,
            "model": manifest,
            "timing_ms": timing,
            "words": reading.words,
            "truncated": reading.truncated,
            "cells": {cell: _rounded(read) for cell, read in reading.cells.items()},
        }
    )


def _rounded(reading: CellReading) -> dict[str, Any]:
    shown = {"probabilities": reading.probabilities, **reading.inside}
    return {name: values.astype(float).round(_DECIMALS).tolist() for name, values in shown.items()}
