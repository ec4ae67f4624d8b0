"""GET /v1/models."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException

from app.demonstration import Demonstration
from app.house import HouseDep
from app.registry import Served
from app.routes.problems import problems
from app.schemas import LIMITS, ModelDescription, ModelList, UnavailableModel
from app.tasks import BUNDLED, TASKS

router = APIRouter(prefix="/v1/models", tags=["models"])

TaskName = Annotated[str, Path(description="sentiment, rainfall, music or cells.", examples=["sentiment"])]


@router.get("", summary="What is served", responses=problems("internal_error", "log_unavailable"))
async def models(house: HouseDep) -> ModelList:
    """Every task with its bundle, or with the reason why it has none: what may be asked here, and how well it is answered."""
    return ModelList(
        models=[_description(served) for _, served in house.registry],
        log_mode=house.request_log.mode,
        unavailable=[UnavailableModel(task=task, reason=reason) for task, reason in house.registry.faults.items()],
    )


@router.get(
    "/{task}",
    summary="One task's model",
    responses=problems("not_found", "invalid_request", "internal_error", "task_unavailable", "log_unavailable"),
)
async def model(task: TaskName, house: HouseDep) -> ModelDescription:
    """Version, cell, metrics, input contract, limits and card of the bundle that answers a task; also of `cells`, which is a
    demonstration and not listed among them."""
    if task not in BUNDLED:
        raise HTTPException(404, f"no task {task[:40]!r}; there are {', '.join(BUNDLED)}")
    return _description(house.registry.served(task) if task in TASKS else house.demonstration)


def _description(served: Served | Demonstration) -> ModelDescription:
    predictor = served.predictor
    return ModelDescription(
        **predictor.manifest.model_dump(exclude={"format", "reference", "sha256", "settings", "vocabulary_size"}),
        provider=predictor.provider,
        limits=LIMITS[predictor.manifest.task],
        card=predictor.bundle.card,
    )
