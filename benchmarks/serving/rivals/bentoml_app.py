"""BentoML with its adaptive batching: bentoml serve benchmarks.serving.rivals.bentoml_app:Sentiment."""

import bentoml

from benchmarks.serving.rivals.model import load_judge, most_batch, wait_s, workers


@bentoml.service(workers=workers(), traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Sentiment:
    """BentoML merges the lists of many requests along their first dimension."""

    def __init__(self) -> None:
        self.judge = load_judge()

    @bentoml.api(batchable=True, batch_dim=0, max_batch_size=most_batch(), max_latency_ms=max(1, round(1000 * wait_s())))
    def sentiment(self, texts: list[str]) -> list[float]:
        """One probability a text."""
        return self.judge(texts)
