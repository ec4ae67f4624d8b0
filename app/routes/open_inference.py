"""Everything under /v2: the Open Inference Protocol."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app import __version__, examples
from app.house import House, HouseDep, entry_of, house_of
from app.open_inference.exchange import BINARY_EXTENSION, read, reply
from app.open_inference.models import MODELS
from app.open_inference.question import Question
from app.open_inference.schemas import (
    InferenceRequest,
    InferenceResponse,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
)
from app.registry import Served
from app.routes.health import faults
from app.routes.problems import inference_errors, unready

_PLATFORM = "onnx_onnxv1"  # the protocol's name for ONNX graphs on onnxruntime


class InferRoute(APIRoute):
    """Bodies here may be JSON with bytes behind it, which FastAPI does not read. The document is FastAPI's."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def handle(request: Request) -> Response:
            asked = read(request.headers, entry_of(request).request_body)
            response: Response = await self.endpoint(body=asked, request=request, **request.path_params)
            return response

        return handle


Name = Annotated[str, Path(description="sentiment, rainfall or music.", examples=["sentiment"])]
Version = Annotated[
    str, Path(description="That of the served bundle, as the model's metadata name it.", examples=["20260101-lstm-0a1b2c"])
]
Asked = Annotated[InferenceRequest, Body(openapi_examples=examples.OPEN_INFERENCE)]

router = APIRouter(prefix="/v2", tags=["open inference"])
inference = APIRouter(prefix="/v2", tags=["open inference"], route_class=InferRoute)

_ASKED = inference_errors(400, 404, 413, 415, "4XX", 500, 503)
_NAMED = inference_errors(404, "4XX", 500)


@router.get("", summary="Server metadata", responses=inference_errors(500))
@router.get("/", include_in_schema=False)
async def server_metadata() -> ServerMetadata:
    """What answers here, and which extensions of the protocol it knows."""
    return ServerMetadata(name="gatehouse", version=__version__, extensions=[BINARY_EXTENSION])


@router.get("/health/live", summary="Server live")
async def server_live() -> ServerLive:
    """200 as long as the process answers at all."""
    return ServerLive(live=True)


@router.get("/health/ready", summary="Server ready", response_model_exclude_none=True, responses=unready(ServerReady))
async def server_ready(request: Request, response: Response) -> ServerReady:
    """200 when every model can be asked and the request log can be written, else 503."""
    error = _unready(request, response, await faults(request))
    return ServerReady(ready=error is None, error=error)


@router.get("/models/{name}", summary="Model metadata", responses={**_NAMED, **inference_errors(503)})
async def model_metadata(name: Name, house: HouseDep) -> ModelMetadata:
    """The tensors that a model takes and gives, and its version."""
    return _metadata(house, name)


@router.get("/models/{name}/versions/{version}", summary="Model metadata", responses={**_NAMED, **inference_errors(503)})
async def version_metadata(name: Name, version: Version, house: HouseDep) -> ModelMetadata:
    """The same of one version: there is only the served one."""
    return _metadata(house, name, version)


@router.get(
    "/models/{name}/ready",
    summary="Model ready",
    response_model_exclude_none=True,
    responses={**_NAMED, **unready(ModelReady, name="sentiment")},
)
async def model_ready(name: Name, request: Request, response: Response) -> ModelReady:
    """200 when the model can be asked, else 503."""
    return await _model_ready(name, request, response)


@router.get(
    "/models/{name}/versions/{version}/ready",
    summary="Model ready",
    response_model_exclude_none=True,
    responses={**_NAMED, **unready(ModelReady, name="sentiment")},
)
async def version_ready(name: Name, version: Version, request: Request, response: Response) -> ModelReady:
    """The same of one version: any but the served one is not found."""
    house = house_of(request)
    if name not in house.registry.faults:
        _served(house, name, version)
    return await _model_ready(name, request, response)


@inference.post("/models/{name}/infer", summary="Infer", response_model=InferenceResponse, responses=_ASKED)
async def infer(name: Name, body: Asked, request: Request) -> Response:
    """Asks a model. Data may come and go as JSON or, by the binary tensor data extension, as bytes after it.

    Outputs have the shape of the input: one value for each string. A string is a text for sentiment, the JSON of an element of
    `hours` as `/v1/rainfall` takes it, or a prompt for music, of which a request has one.
    """
    return await _inferred(name, None, body, request)


@inference.post("/models/{name}/versions/{version}/infer", summary="Infer", response_model=InferenceResponse, responses=_ASKED)
async def infer_version(name: Name, version: Version, body: Asked, request: Request) -> Response:
    """The same, of one version: any but the served one is not found."""
    return await _inferred(name, version, body, request)


async def _inferred(name: str, version: str | None, asked: InferenceRequest, request: Request) -> Response:
    served, entry = _served(house_of(request), name, version), entry_of(request)
    entry.inputs = asked.model_dump(exclude_defaults=True)
    model, manifest = MODELS[name], served.predictor.manifest
    question = Question.of(model, asked)
    columns, timing, observed = await model.predict(served, question.strings, question.parameters)
    entry.answered(manifest, len(question.strings), timing, observed)
    answer = InferenceResponse(model_name=name, model_version=manifest.version, id=asked.id, outputs=question.answered(columns))
    entry.outputs = answer.model_dump(exclude_none=True)
    return reply(answer, question.binary)


def _served(house: House, name: str, version: str | None = None) -> Served:
    """Raises HTTPException (404), TaskUnavailable."""
    _check_name(name)
    served: Served = house.registry.served(name)
    current = served.predictor.manifest.version
    if version not in {None, current}:
        raise HTTPException(404, f"no version {str(version)[:40]!r} of {name}; {current} is served")
    return served


def _check_name(name: str) -> None:
    if name not in MODELS:
        raise HTTPException(404, f"no model {name[:40]!r}; there are {', '.join(MODELS)}")


def _metadata(house: House, name: str, version: str | None = None) -> ModelMetadata:
    served, model = _served(house, name, version), MODELS[name]
    return ModelMetadata(
        name=name,
        versions=[served.predictor.manifest.version],
        platform=_PLATFORM,
        inputs=model.input_metadata,
        outputs=model.output_metadata,
    )


async def _model_ready(name: str, request: Request, response: Response) -> ModelReady:
    _check_name(name)
    others = set(MODELS) - {name}
    error = _unready(request, response, {what: why for what, why in (await faults(request)).items() if what not in others})
    return ModelReady(name=name, ready=error is None, error=error)


def _unready(request: Request, response: Response, found: dict[str, str]) -> str | None:
    """Why not, if so; the answer becomes a 503."""
    if not found:
        return None
    response.status_code = 503
    entry_of(request).failed("not_ready")
    return "; ".join(f"{what}: {why}" for what, why in found.items())
