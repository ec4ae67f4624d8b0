"""Weights of words through a real server: what they say, and that they hold nobody up."""

import asyncio
import math
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.batcher import Batcher
from app.bundle import current_folder
from app.predictor import load_predictor
from app.tasks.sentiment import EncodedText
from app.tasks.task import Tensors
from app.tasks.word_weights import word_weights

PRAISE, COMPLAINT = "A quiet, moving film.", "A dull, endless waste of two hours."
AWKWARD = "<p>Sooooo   good 😀!!!</p> Not <br/> what I'd call İstanbul’s best… but fun"
LONG = "It begins well enough, and then nothing happens. " * 20 + "In the end it is a wonderful, moving film!"


def judged(client: httpx.Client, texts: list[str], explain: bool = True) -> list[dict[str, Any]]:
    answer = client.post("/v1/sentiment", json={"texts": texts, "explain": explain})
    assert answer.status_code == 200, answer.text
    predictions: list[dict[str, Any]] = answer.json()["predictions"]
    return predictions


def log_odds(prediction: dict[str, Any]) -> float:
    probability = prediction["probability"]
    return math.log(probability / (1 - probability))


def weight(prediction: dict[str, Any], text: str) -> float:
    return float(sum(word["weight"] for word in prediction["words"] if word["text"] == text))


def test_words_come_where_they_are_asked_for_and_change_nothing_else(shipped: httpx.Client) -> None:
    texts = [PRAISE, " ", COMPLAINT]
    explained, plain = judged(shipped, texts), judged(shipped, texts, explain=False)
    assert all("words" not in prediction for prediction in plain)
    assert [len(prediction.pop("words")) for prediction in explained] == [6, 0, 9]
    assert explained == plain


@pytest.mark.parametrize("text", [PRAISE, COMPLAINT, AWKWARD, LONG, "bad", "word " * 4000])
def test_the_weights_account_for_the_verdict(shipped: httpx.Client, text: str) -> None:
    whole, nothing = judged(shipped, [text, " "])
    assert sum(word["weight"] for word in whole["words"]) == pytest.approx(log_odds(whole) - log_odds(nothing), abs=1e-6)
    assert len(whole["words"]) == whole["tokens_read"]


def test_each_word_stands_where_it_was_sent(shipped: httpx.Client) -> None:
    (prediction,) = judged(shipped, [AWKWARD])
    words = prediction["words"]
    assert [AWKWARD[word["start"] : word["end"]] for word in words] == [word["text"] for word in words]
    assert [word["text"] for word in words][:4] == ["Sooooo", "good", "😀", "!!!"]
    assert not {"p", "br"} & {word["text"] for word in words}


def test_words_in_the_middle_of_a_long_text_are_not_listed(shipped: httpx.Client) -> None:
    text = " ".join(f"word{number}" for number in range(1000))
    (prediction,) = judged(shipped, [text])
    listed = [word["text"] for word in prediction["words"]]
    assert prediction["truncated"]
    assert listed == text.split()[: len(listed) - 250] + text.split()[-250:]


def test_weights_have_the_sign_that_readers_expect(shipped: httpx.Client) -> None:
    praise, complaint, mixed = judged(shipped, [PRAISE, COMPLAINT, "The plot is awful, but the acting is wonderful."])
    assert weight(praise, "moving") > 0
    assert weight(complaint, "dull") < 0
    assert weight(complaint, "waste") < 0
    assert weight(mixed, "awful") < 0 < weight(mixed, "wonderful")
    strongest = max(mixed["words"], key=lambda word: abs(word["weight"]))
    assert strongest["text"] in {"awful", "wonderful"}


def test_callers_who_want_weights_and_callers_who_do_not_all_get_what_they_get_alone(shipped: httpx.Client) -> None:
    texts = [PRAISE, COMPLAINT, AWKWARD, LONG]
    alone = {(text, explain): judged(shipped, [text], explain) for text in texts for explain in (True, False)}
    calls = list(alone) * 3
    with ThreadPoolExecutor(len(calls)) as callers:
        answers = list(callers.map(lambda call: judged(shipped, [call[0]], call[1]), calls))
    for call, answer in zip(calls, answers, strict=True):
        assert answer == alone[call]


def test_the_record_of_a_request_counts_its_texts_and_all_its_time(client: httpx.Client) -> None:
    answer = client.post("/v1/sentiment", json={"texts": ["good bad good", "bad"], "explain": True}).json()
    record = client.get(f"/v1/requests/{answer['request_id']}").json()
    assert record["items"] == 2
    assert record["run_ms"] == answer["timing_ms"]["run"] > 0
    assert record["outputs"]["predictions"] == answer["predictions"]


@pytest.fixture
def batcher(tiny_models: Path) -> Iterator[Batcher[Any, Any]]:
    """Of one thread."""
    batcher = Batcher[Any, Any](load_predictor(current_folder(tiny_models, "sentiment"), threads=1), 1)
    yield batcher
    batcher.close()


def test_a_text_that_comes_later_is_judged_before_the_readings_that_wait(
    batcher: Batcher[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, whole = threading.Event(), threading.Event(), batcher.predictor.run
    judges_the_text = list[bool]()  # for each pass

    def run(feeds: Tensors) -> Tensors:
        begun.set()
        assert go.wait(30)
        judges_the_text.append(bool((feeds["ids"] == batcher.task.encode("best").ids[0]).any()))
        return whole(feeds)

    async def read(parts: Sequence[EncodedText]) -> list[float]:
        return [prediction.log_odds for prediction in (await batcher.predict(parts))[0]]

    async def scenario() -> None:
        weighing = asyncio.create_task(word_weights(batcher.predictor.task, "good bad film " * 5, read))
        await asyncio.to_thread(begun.wait, 30)
        plain = asyncio.create_task(batcher.predict(["best"]))
        await asyncio.sleep(0)
        go.set()
        await plain
        assert len(await weighing) == 15

    monkeypatch.setattr(batcher.predictor, "run", run)
    monkeypatch.setattr("app.line._PATIENCE_S", 10)  # what this machine takes until the text has come counts for nothing
    asyncio.run(scenario())
    assert judges_the_text.index(True) <= 2
    assert len(judges_the_text) > 10
