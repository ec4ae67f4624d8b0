"""/v2 as a client that others wrote sees it: tritonclient, which sends and asks for bytes unless it is told otherwise."""

import json
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from app import __version__, examples

TEXTS = ["a good film, a moving one", "dull", "the worst " * 20, "Café 日本語 😀 \x00"]
HOURS = [examples.RAINFALL["hours"][0], {"radardist_km": 3.0, "scans": [{"minutes_past": 30}]}]
PROMPT = examples.MUSIC_NEXT["prompt"]
# Probabilities are compared within 1e-4: int8 answers may differ a little by what shares their pass.


@pytest.fixture
def remote(client: httpx.Client) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"127.0.0.1:{client.base_url.port}", concurrency=8) as remote:
        yield remote


def tensor(name: str, strings: list[str], binary: bool = True, column: bool = False) -> triton.InferInput:
    content = np.array(strings, dtype=np.object_)
    content = content[:, None] if column else content
    asked = triton.InferInput(name, list(content.shape), "BYTES")
    asked.set_data_from_numpy(content, binary_data=binary)
    return asked


def texts_of(result: triton.InferResult, output: str) -> list[str]:
    """BYTES come as bytes in binary and as str in JSON."""
    return [value.decode() if isinstance(value, bytes) else value for value in result.as_numpy(output).ravel().tolist()]


def wish(binary: bool, *names: str) -> list[triton.InferRequestedOutput]:
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


def test_the_server_says_what_it_is_and_that_it_works(remote: triton.InferenceServerClient) -> None:
    assert remote.is_server_live()
    assert remote.is_server_ready()
    assert remote.get_server_metadata() == {
        "name": "gatehouse",
        "version": __version__,
        "extensions": ["binary_tensor_data"],
    }


@pytest.mark.parametrize(("model", "name"), [("sentiment", "text"), ("rainfall", "hour"), ("music", "prompt")])
def test_a_model_says_what_it_takes(client: httpx.Client, remote: triton.InferenceServerClient, model: str, name: str) -> None:
    served = client.get(f"/v1/models/{model}").json()["version"]
    described = remote.get_model_metadata(model)
    assert described == remote.get_model_metadata(model, served)
    assert (described["name"], described["versions"]) == (model, [served])
    assert described["inputs"] == [{"name": name, "datatype": "BYTES", "shape": [1 if model == "music" else -1]}]
    assert remote.is_model_ready(model)
    assert remote.is_model_ready(model, served)
    assert not remote.is_model_ready(model, "1")


@pytest.mark.parametrize("model", ["sentiment", "rainfall", "music"])
def test_every_output_that_is_described_comes_with_its_datatype(remote: triton.InferenceServerClient, model: str) -> None:
    example = examples.OPEN_INFERENCE[model]["value"]["inputs"][0]
    result = remote.infer(model, [tensor(example["name"], example["data"])])
    described = remote.get_model_metadata(model)["outputs"]
    came = result.get_response()["outputs"]
    assert [(output["name"], output["datatype"]) for output in came] == [
        (output["name"], output["datatype"]) for output in described
    ]
    kinds = {"BYTES": "O", "BOOL": "b", "INT32": "i", "INT64": "i", "FP64": "f"}
    for output in described:
        assert result.as_numpy(output["name"]).dtype.kind == kinds[output["datatype"]]


@pytest.mark.parametrize("sent", [True, False], ids=["bytes in", "JSON in"])
@pytest.mark.parametrize("wanted", [True, False], ids=["bytes out", "JSON out"])
def test_sentiment_is_that_of_v1_however_it_is_sent(
    client: httpx.Client, remote: triton.InferenceServerClient, sent: bool, wanted: bool
) -> None:
    expected = client.post("/v1/sentiment", json={"texts": TEXTS}).json()["predictions"]
    outputs = wish(wanted, "label", "probability", "tokens_read", "truncated")
    result = remote.infer("sentiment", [tensor("text", TEXTS, sent)], outputs=outputs)
    assert texts_of(result, "label") == [prediction["label"] for prediction in expected]
    assert result.as_numpy("tokens_read").tolist() == [prediction["tokens_read"] for prediction in expected]
    assert result.as_numpy("truncated").tolist() == [prediction["truncated"] for prediction in expected]
    assert result.as_numpy("probability") == pytest.approx([prediction["probability"] for prediction in expected], abs=1e-4)
    assert {("data" in output) for output in result.get_response()["outputs"]} == {not wanted}


@pytest.mark.parametrize("binary", [True, False])
def test_rain_is_that_of_v1(client: httpx.Client, remote: triton.InferenceServerClient, binary: bool) -> None:
    expected = client.post("/v1/rainfall", json={"hours": HOURS}).json()["predictions"]
    result = remote.infer("rainfall", [tensor("hour", [json.dumps(hour) for hour in HOURS], binary)])
    low, high = result.as_numpy("interval_90_low_mm"), result.as_numpy("interval_90_high_mm")
    for position, prediction in enumerate(expected):
        assert result.as_numpy("rain_mm")[position] == pytest.approx(prediction["rain_mm"], abs=1e-4)
        assert [low[position], high[position]] == pytest.approx(prediction["interval_90_mm"], abs=1e-4)
        assert result.as_numpy("scans_used")[position] == prediction["scans_used"]
        for name, rain_mm in prediction["baselines_mm"].items():
            assert result.as_numpy(f"{name}_mm")[position] == rain_mm


def test_a_tune_is_that_of_v1(client: httpx.Client, remote: triton.InferenceServerClient) -> None:
    sampling = {"max_characters": 60, "temperature": 0.8, "top_p": 0.9, "seed": 7}
    expected = client.post("/v1/music/generate", json={"prompt": PROMPT, **sampling}).json()
    result = remote.infer("music", [tensor("prompt", [PROMPT])], parameters=sampling)
    assert texts_of(result, "abc") == [expected["abc"]]
    assert texts_of(result, "continuation") == [expected["continuation"]]
    assert result.as_numpy("finished").tolist() == [expected["finished"]]
    assert result.as_numpy("seed").tolist() == [7]


def test_a_drawn_seed_can_be_used_again(remote: triton.InferenceServerClient) -> None:
    drawn = remote.infer("music", [tensor("prompt", [PROMPT])], parameters={"max_characters": 30})
    again = {"max_characters": 30, "seed": drawn.as_numpy("seed").item()}
    assert texts_of(remote.infer("music", [tensor("prompt", [PROMPT])], parameters=again), "abc") == texts_of(drawn, "abc")


def test_a_column_of_texts_is_answered_with_columns(remote: triton.InferenceServerClient) -> None:
    flat = remote.infer("sentiment", [tensor("text", TEXTS)])
    column = remote.infer("sentiment", [tensor("text", TEXTS, column=True)])
    assert column.as_numpy("probability").shape == (4, 1)
    assert column.as_numpy("probability").ravel() == pytest.approx(flat.as_numpy("probability"), abs=1e-4)
    assert column.as_numpy("label").shape == (4, 1)


def test_only_the_outputs_asked_for_come_in_the_order_asked(remote: triton.InferenceServerClient) -> None:
    outputs = [*wish(True, "tokens_read"), *wish(False, "label")]
    result = remote.infer("sentiment", [tensor("text", ["good"])], outputs=outputs, request_id="film-7")
    answer = result.get_response()
    assert [output["name"] for output in answer["outputs"]] == ["tokens_read", "label"]
    assert [("data" in output) for output in answer["outputs"]] == [False, True]
    assert result.as_numpy("tokens_read").tolist() == [1]
    assert answer["id"] == "film-7"


def test_many_callers_at_once_get_their_own_answers(remote: triton.InferenceServerClient) -> None:
    texts = [f"{'good ' * (number % 7)}{'dull ' * (number % 5)}." for number in range(40)]
    alone = [remote.infer("sentiment", [tensor("text", [text])]) for text in texts]
    calls = [
        remote.async_infer("sentiment", [tensor("text", [text])], request_id=str(number)) for number, text in enumerate(texts)
    ]
    together = [call.get_result() for call in calls]
    assert [result.get_response()["id"] for result in together] == [str(number) for number in range(40)]
    for one, other in zip(alone, together, strict=True):
        assert one.as_numpy("tokens_read") == other.as_numpy("tokens_read")
        assert one.as_numpy("probability") == pytest.approx(other.as_numpy("probability"), abs=1e-4)


def test_the_served_version_can_be_named_and_no_other(client: httpx.Client, remote: triton.InferenceServerClient) -> None:
    served = client.get("/v1/models/sentiment").json()["version"]
    result = remote.infer("sentiment", [tensor("text", ["good"])], model_version=served)
    assert result.get_response()["model_version"] == served
    with pytest.raises(InferenceServerException, match=rf"no version '1' of sentiment; {served} is served") as caught:
        remote.infer("sentiment", [tensor("text", ["good"])], model_version="1")
    assert caught.value.status() == "404"


def test_what_is_wrong_is_said_in_words_the_client_shows(remote: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="no model 'chess'; there are sentiment, rainfall, music") as caught:
        remote.infer("chess", [tensor("text", ["good"])])
    assert caught.value.status() == "404"
    with pytest.raises(InferenceServerException, match=r"inputs/0/data/1: String should have at least 1 character") as caught:
        remote.infer("sentiment", [tensor("text", ["good", ""])])
    assert caught.value.status() == "400"
    with pytest.raises(InferenceServerException, match="compressed with 'gzip'") as caught:
        remote.infer("sentiment", [tensor("text", ["good"])], request_compression_algorithm="gzip")
    assert caught.value.status() == "415"
    with pytest.raises(InferenceServerException, match="no parameter 'priority' is known"):
        remote.infer("sentiment", [tensor("text", ["good"])], priority=1)


def test_an_inference_is_recorded_with_what_its_bytes_say(client: httpx.Client) -> None:
    header = json.dumps(
        {
            "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 8}}],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    answer = client.post(
        "/v2/models/sentiment/infer",
        content=header + b"\x04\x00\x00\x00good",
        headers={"Inference-Header-Content-Length": str(len(header)), "Content-Type": "application/octet-stream"},
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["inference-header-content-length"])
    sizes = [output["parameters"]["binary_data_size"] for output in json.loads(answer.content[:length])["outputs"]]
    assert len(answer.content) == length + sum(sizes)
    record = client.get(f"/v1/requests/{answer.headers['x-request-id']}").json()
    assert (record["path"], record["task"], record["items"]) == ("/v2/models/sentiment/infer", "sentiment", 1)
    assert record["inputs"]["inputs"][0]["data"] == ["good"]
    assert record["outputs"]["outputs"][2] == {"name": "tokens_read", "shape": [1], "datatype": "INT32", "data": [1]}
    assert (record["request_bytes"], record["response_bytes"]) == (len(header) + 8, len(answer.content))
    assert record["run_ms"] > 0


def test_metrics_count_inferences_with_those_of_v1(client: httpx.Client) -> None:
    assert client.post("/v2/models/sentiment/infer", json=examples.OPEN_INFERENCE["sentiment"]["value"]).status_code == 200
    text = client.get("/metrics").text
    assert 'gatehouse_requests_total{method="POST",route="/v2/models/{name}/infer",status="200"} 1.0' in text
    assert 'gatehouse_items_total{task="sentiment"} 2.0' in text
