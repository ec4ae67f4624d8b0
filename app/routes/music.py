"""POST /v1/music/next and /v1/music/generate."""

import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.responses import Response

from app.entry import Entry
from app.house import EntryDep, MusicDep
from app.routes.problems import problems
from app.runner import Runner, Timing
from app.schemas import (
    GenerateRequest,
    GenerateResponse,
    NextCharacter,
    NextRequest,
    NextResponse,
    ServedModel,
    TimingMs,
)
from app.tasks.music import Music, Sampling, plain

router = APIRouter(prefix="/v1/music", tags=["music"])

_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": GenerateResponse,
        "content": {
            "text/event-stream": {
                "example": 'event: characters\ndata: {"text": "GAB|"}\n\nevent: done\ndata: {"abc": "X:1...", ...}\n\n'
            }
        },
    }
}


@router.post("/next", summary="What may follow", responses=problems(413, 422, 500, 503))
async def next_characters(body: NextRequest, entry: EntryDep, runner: MusicDep) -> NextResponse:
    """The distribution of the character after the prompt, and what the prompt itself costs in bits per character."""
    answer, timing = await runner.call(lambda run: runner.task.next_characters(run, body.prompt, body.top_k))
    entry.answered(runner.predictor.manifest, 1, timing)
    return NextResponse(
        request_id=entry.request_id,
        model=ServedModel.model_validate(runner.predictor.manifest),
        characters=[NextCharacter(character=text, probability=p) for text, p in answer.characters],
        bits_per_character=answer.bits_per_character,
        timing_ms=TimingMs.model_validate(timing),
    )


@router.post(
    "/generate",
    summary="Continue a tune",
    response_model=GenerateResponse,
    responses={**_STREAMED, **problems(413, 422, 500, 503)},
)
async def generate(body: GenerateRequest, entry: EntryDep, runner: MusicDep) -> GenerateResponse | Response:
    """The prompt and what the model adds to it, character by character.

    With `"stream": true`, server-sent events: `characters` as they come, last `done` with the whole answer, or `error`.
    """
    tune = Tune(body, entry, runner)
    if body.stream:
        runner.task.encode(body.prompt)  # a bad prompt is refused before the stream begins
        return EventSourceResponse(tune.events())
    return await tune.whole()


class Tune:
    """One tune being written."""

    def __init__(self, body: GenerateRequest, entry: Entry, runner: Runner[Music]) -> None:
        self._body, self._entry, self._runner = body, entry, runner
        self._seed = secrets.randbits(32) if body.seed is None else body.seed
        self._sampling = Sampling(body.max_characters, body.temperature, body.top_p, self._seed)

    async def whole(self) -> GenerateResponse:
        task, prompt = self._runner.task, self._body.prompt
        pieces, timing = await self._runner.call(lambda run: list(task.continuation(run, prompt, self._sampling)))
        return self._response(pieces, timing)

    async def events(self) -> AsyncIterator[bytes]:
        task, pieces = self._runner.task, list[str]()
        stream = self._runner.stream(lambda run, gone: task.continuation(run, self._body.prompt, self._sampling, gone))
        async for piece in stream:
            if isinstance(piece, Timing):
                done = self._response(pieces, piece).model_dump_json()
                self._entry.stream_summary = done.encode()
                yield format_sse_event(event="done", data_str=done)
                return
            pieces.append(piece)
            if piece:
                yield format_sse_event(event="characters", data_str=json.dumps({"text": piece}))

    def _response(self, pieces: list[str], timing: Timing) -> GenerateResponse:
        manifest, continuation = self._runner.predictor.manifest, "".join(pieces)
        self._entry.answered(manifest, 1, timing)
        return GenerateResponse(
            request_id=self._entry.request_id,
            model=ServedModel.model_validate(manifest),
            abc=plain(self._body.prompt) + continuation,
            continuation=continuation,
            finished=pieces[-1] == "",
            seed=self._seed,
            timing_ms=TimingMs.model_validate(timing),
        )
