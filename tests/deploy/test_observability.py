"""What Prometheus and Grafana are given: rules and queries about metrics that there are, tried on a real Prometheus."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app import examples
from app.database import make_engine
from app.keys import create_key
from app.settings import Settings
from tests.conftest import Serve

REPOSITORY = Path(__file__).parents[2]
PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
GRAFANA = REPOSITORY / "deploy" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "gatehouse.json").read_text())
RULES = [rule for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"] for rule in group["rules"]]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
QUERIES = sorted({target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]})
# Told only once the log has rows enough to tell.
DRIFT = "gatehouse_drift_psi"
NAME = re.compile(r"\b(?:gatehouse|process)_\w+")
OF_PROMETHEUS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="needs prometheus and promtool: apt-get install prometheus",
)


def names(text: str) -> set[str]:
    """Of metrics, as they are in /metrics; not those that rules record."""
    for recorded in RECORDED:
        text = text.replace(recorded, "")
    return {re.sub("_(bucket|sum|count)$", "", name) for name in NAME.findall(text)}


def ask_everything(client: httpx.Client, headers: dict[str, str]) -> None:
    for path, body in (
        ("/v1/sentiment", examples.SENTIMENT),
        ("/v1/rainfall", examples.RAINFALL),
        ("/v1/music/next", examples.MUSIC_NEXT),
        ("/v1/nothing", {}),
    ):
        client.post(path, json=body, headers=headers)


def test_every_metric_of_rules_and_panels_is_one_of_the_service(client: httpx.Client) -> None:
    told = set(re.findall(r"^# TYPE (\S+)", client.get("/metrics").text, re.MULTILINE))
    asked = set.union(*(names(text) for text in [*QUERIES, *(rule["expr"] for rule in RULES)]))
    assert len(asked) > 10
    assert asked <= told | OF_PROMETHEUS


def test_the_service_tells_whether_it_is_ready(client: httpx.Client, settings: Settings, serve: Serve, tmp_path: Path) -> None:
    assert "gatehouse_ready 1.0" in client.get("/metrics").text.splitlines()
    (tmp_path / "none").mkdir()
    other = serve(settings.model_copy(update={"models_dir": tmp_path / "none"}))
    assert "gatehouse_ready 0.0" in other.get("/metrics").text.splitlines()


def test_a_key_for_metrics_opens_them_and_nothing_else(serve: Serve, settings: Settings) -> None:
    key = create_key(make_engine(settings.database_url), "prometheus", ["metrics"])
    client = serve(settings.model_copy(update={"auth": "keys", "metrics": "key"}))
    assert client.get("/metrics").status_code == 401
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get("/metrics", headers=headers).status_code == 200
    assert client.get("/v1/models", headers=headers).status_code == 403
    assert client.post("/v1/sentiment", json=examples.SENTIMENT, headers=headers).status_code == 403


def test_grafana_is_given_the_datasource_that_panels_name_and_the_folder_of_the_dashboard() -> None:
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    volumes = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    provisioning = GRAFANA / "provisioning"
    assert (REPOSITORY / next(path for path in volumes if path.endswith("provisioning"))).resolve() == provisioning
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "gatehouse.yml").read_text())["providers"]
    assert volumes["./deploy/grafana/dashboards"] == provider["options"]["path"]
    panels = DASHBOARD["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_every_alert_says_how_bad_it_is_and_is_explained() -> None:
    page = (REPOSITORY / "docs" / "how-to" / "observe.md").read_text()
    for rule in RULES:
        if "alert" in rule:
            assert rule["labels"]["severity"] in {"critical", "warning"}
            assert rule["annotations"]["summary"]
            assert f"`{rule['alert']}`" in page


@needs_prometheus
@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", "--syntax-only", "prometheus.yml"],
        ["check", "rules", "--lint-fatal", "rules.yml"],
        ["test", "rules", "rules.test.yml"],
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """A real one, and a client of it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(f"/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def until(self, query: str, most_s: float = 60) -> None:
        deadline = time.monotonic() + most_s
        while not self.ask("query", query=query)["result"]:
            assert time.monotonic() < deadline, query
            time.sleep(0.2)


@pytest.fixture
def prometheus(serve: Serve, settings: Settings, tmp_path: Path) -> Iterator[Prometheus]:
    """Scrapes a server that asks for keys every second, by the configuration of the repository."""
    engine = make_engine(settings.database_url)
    (tmp_path / "key").write_text(create_key(engine, "prometheus", ["metrics"]))
    caller = {"X-API-Key": create_key(engine, "caller", ["predict"])}
    client = serve(settings.model_copy(update={"auth": "keys", "metrics": "key"}))
    shutil.copy(PROMETHEUS / "rules.yml", tmp_path)
    changed = {
        "api:8000": f"127.0.0.1:{client.base_url.port}",
        "/run/scrape-key/key": str(tmp_path / "key"),
        "interval: 15s": "interval: 1s",
        "scrape_timeout: 10s": "scrape_timeout: 1s",
    }
    text = (PROMETHEUS / "prometheus.yml").read_text()
    for given, other in changed.items():
        assert given in text
        text = text.replace(given, other)
    (tmp_path / "prometheus.yml").write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--web.listen-address={address}"]
    with ExitStack() as stack:
        log = stack.enter_context((tmp_path / "prometheus.log").open("wb"))
        process = stack.enter_context(
            subprocess.Popen([*command, f"--storage.tsdb.path={tmp_path / 'data'}"], stdout=log, stderr=log)
        )
        stack.callback(process.kill)
        asking = stack.enter_context(httpx.Client(base_url=f"http://{address}", timeout=30))
        running = Prometheus(asking)
        for _ in range(300):
            try:
                asking.get("/-/ready").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, (tmp_path / "prometheus.log").read_text()
                time.sleep(0.1)
        running.until('up{job="gatehouse"} == 1')
        # A rate needs two scrapes with the series in them.
        for _ in range(5):
            ask_everything(client, caller)
            time.sleep(1)
        yield running


@needs_prometheus
def test_a_real_prometheus_takes_the_rules_and_every_panel_has_data(prometheus: Prometheus) -> None:
    prometheus.until("job:gatehouse_log_seconds:p95_5m >= 0")
    prometheus.until("job:gatehouse_errors:ratio_rate5m >= 0")
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == len(RULES)
    assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]
    assert prometheus.ask("targets")["activeTargets"][0]["health"] == "up"
    silent = [
        query
        for query in QUERIES
        if not prometheus.ask("query", query=query.replace("$__rate_interval", "1m"))["result"] and DRIFT not in query
    ]
    assert silent == []
