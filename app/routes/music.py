"""POST /v1/music/next and /v1/music/generate."""

import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.responses import Response

from app.entry import Entry
from app.house import entry_of, music_of
from app.line import Timing
from app.routes.json_route import JsonRoute
from app.routes.problems import PREDICTION, problems
from app.schemas import (
    GenerateRequest,
    GenerateResponse,
    NextCharacter,
    NextRequest,
    NextResponse,
    ServedModel,
    TimingMs,
)
from app.steps import StepBatcher
from app.tasks.music import plain
from app.tasks.sampling import Sampling

router = APIRouter(prefix="/v1/music", tags=["music"], route_class=JsonRoute)

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


@router.post("/next", summary="What may follow", responses=problems(*PREDICTION))
async def next_characters(body: NextRequest, request: Request) -> NextResponse:
    """The distribution of the character after the prompt, and what the prompt itself costs in bits per character.

    For suggestions while somebody writes a tune, and for telling how usual a tune is: the fewer bits, the more like those that
    the model learned from. To continue a tune, ask `/v1/music/generate` once rather than this for each character.
    """
    music, entry = music_of(request), entry_of(request)
    answer, timing = await music.next_characters(body.prompt, body.top_k)
    entry.answered(music.predictor.manifest, 1, timing, music.task.observed(body.prompt, answer))
    return NextResponse(
        request_id=entry.request_id,
        model=ServedModel.model_validate(music.predictor.manifest),
        characters=[NextCharacter(character=text, probability=p) for text, p in answer.characters],
        bits_per_character=answer.bits_per_character,
        timing_ms=TimingMs.model_validate(timing),
    )


@router.post(
    "/generate",
    summary="Continue a tune",
    response_model=GenerateResponse,
    responses={**_STREAMED, **problems(*PREDICTION)},
)
async def generate(body: GenerateRequest, request: Request) -> GenerateResponse | Response:
    """The prompt and what the model adds to it, character by character, well-formed and at an end within `max_characters`.
    A prompt is the beginning of a tune, header first; what is no ABC notation is gone on with as it comes.

    With `"stream": true`, server-sent events: `characters` as they come, last `done` with the whole answer, or `error`.
    """
    generation = Generation(body, entry_of(request), music_of(request))
    return EventSourceResponse(generation.events()) if body.stream else await generation.whole()


class Generation:
    """One tune that is asked for."""

    def __init__(self, body: GenerateRequest, entry: Entry, music: StepBatcher) -> None:
        self._body, self._entry, self._music = body, entry, music
        self._seed = secrets.randbits(32) if body.seed is None else body.seed
        self._sampling = Sampling(body.max_characters, body.temperature, body.top_p, self._seed)

    async def whole(self) -> GenerateResponse:
        return self._response(*await self._music.write(self._body.prompt, self._sampling))

    def events(self) -> AsyncIterator[bytes]:
        """A bad prompt is refused before the stream begins, whose row says from then on what was asked."""
        self._answered(None)
        return self._events(self._music.stream(self._body.prompt, self._sampling))

    async def _events(self, stream: AsyncGenerator[str | Timing]) -> AsyncIterator[bytes]:
        pieces = list[str]()
        async with aclosing(stream):
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
        manifest, continuation = self._music.predictor.manifest, "".join(pieces)
        self._answered(timing)
        return GenerateResponse(
            request_id=self._entry.request_id,
            model=ServedModel.model_validate(manifest),
            abc=plain(self._body.prompt) + continuation,
            continuation=continuation,
            finished=pieces[-1] == "",
            seed=self._seed,
            timing_ms=TimingMs.model_validate(timing),
        )

    def _answered(self, timing: Timing | None) -> None:
        self._entry.answered(self._music.predictor.manifest, 1, timing, self._music.task.observed(self._body.prompt))
