"""The cheapest answer FastAPI gives: the JSON it was sent."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

app = FastAPI()


@app.post("/echo")
async def echo(request: Request) -> Any:
    """Parsed and written again, no model of the body between."""
    return JSONResponse(await request.json())
