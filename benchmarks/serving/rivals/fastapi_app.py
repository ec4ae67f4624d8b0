"""Plain FastAPI: a blocking `def` endpoint, which FastAPI runs on its threads."""

from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.serving.rivals.model import load_judge

app = FastAPI()
judge = load_judge()


class Texts(BaseModel):
    """The body of a request."""

    texts: list[str]


class Probabilities(BaseModel):
    """The answer, in the order of the texts."""

    probabilities: list[float]


@app.post("/sentiment")
def sentiment(body: Texts) -> Probabilities:
    """One pass a request: nothing is batched across requests."""
    return Probabilities(probabilities=judge(body.texts))
