"""LitServe with its batching: python -m benchmarks.serving.rivals.litserve_app PORT."""

import sys
from collections.abc import Sequence
from typing import Any

import litserve

from benchmarks.serving.rivals.model import load_judge, most_batch, wait_s, workers


class Sentiment(litserve.LitAPI):
    """LitServe gathers the decoded texts of many requests and calls `predict` once."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - the name is LitServe's
        self.judge = load_judge()

    def decode_request(self, request: dict[str, Any]) -> str:
        text: str = request["text"]
        return text

    def batch(self, inputs: Sequence[str]) -> list[str]:
        return list(inputs)

    def predict(self, texts: list[str]) -> list[float]:
        return self.judge(texts)

    def unbatch(self, output: list[float]) -> list[float]:
        return output

    def encode_response(self, output: float) -> dict[str, float]:
        return {"probability": output}


if __name__ == "__main__":
    api = Sentiment(max_batch_size=most_batch(), batch_timeout=wait_s(), api_path="/sentiment")
    # `fast_queue` is ZeroMQ between the processes, which LitServe's documents advise for high rates.
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=workers(), fast_queue=True)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
