"""The OpenAPI document against a real server: whatever schemathesis sends, what comes back is what the document says.

All its checks: no 500, no status or content type that is not documented, answers that fit their schema, good data accepted and
bad data refused, keys asked for where the document says so, links between operations that hold.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.database import make_engine
from app.keys import create_key
from app.settings import Settings
from tests.fuzz.thoroughness import EXAMPLES

Serve = Callable[[Settings], httpx.Client]

_MOST_S = 60 + 30 * EXAMPLES
_CONFIGURATION = """
workers = 1
request-timeout = 20
warnings = false

# No schema can say which characters a model knows.
[[operations]]
include-path-regex = "^/v1/music/"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

# Nor, that a window ends after it begins, or which task a request asked that feedback is about.
[[operations]]
include-path-regex = "^/v1/(stats|requests/.*/feedback)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "422"]

# Nor, that each model has its own inputs, outputs and parameters. The version is that of the trained bundle.
[[operations]]
include-path-regex = "^/v2/models/[^/]+/infer"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]

[[operations]]
include-path-regex = "^/v2/models/.*/versions/"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]
parameters = {{ name = "{name}", version = "{version}" }}
"""


def explored(client: httpx.Client, folder: Path, key: str = "") -> None:
    """Its report is shown where it found something."""
    fields = {"Authorization": f"Bearer {key}"} if key else {}
    version = client.get("/v2/models/sentiment", headers=fields).json()["versions"][0]
    configuration = folder / "schemathesis.toml"
    configuration.write_text(_CONFIGURATION.format(name="sentiment", version=version))
    program = Path(sys.executable).with_name("schemathesis")
    options = ["--max-examples", str(max(1, EXAMPLES // 16)), "--generation-database", "none", "--continue-on-failure"]
    options += [part for name, value in fields.items() for part in ("--header", f"{name}: {value}")]
    command = [
        str(program),
        "--config-file",
        str(configuration),
        "--no-color",
        "run",
        f"{client.base_url}/openapi.json",
        *options,
    ]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_MOST_S, check=False)
    print(ended.stdout)  # noqa: T201
    assert ended.returncode == 0, f"{ended.stdout[-20_000:]}\n{ended.stderr[-2_000:]}"


@pytest.fixture
def forgetful(settings: Settings) -> Settings:
    """Forgets an Idempotency-Key at once, so that the same one may come with other data."""
    return settings.model_copy(update={"idempotency_hours": 1e-9})


def test_every_operation_answers_as_the_document_says(serve: Serve, forgetful: Settings, tmp_path: Path) -> None:
    explored(serve(forgetful), tmp_path)


def test_every_operation_answers_as_the_document_says_where_keys_are_asked_for(
    serve: Serve, forgetful: Settings, tmp_path: Path
) -> None:
    engine = make_engine(forgetful.database_url)
    key = create_key(engine, "fuzz", ["admin"])
    engine.dispose()
    client = serve(forgetful.model_copy(update={"auth": "keys", "metrics": "key"}))
    explored(client, tmp_path, key)
    assert client.get("/v1/models").status_code == 401


@pytest.fixture(autouse=True)
def nothing_unforeseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The service itself logs what it did not foresee."""
    yield
    assert not [record for record in caplog.records if record.levelname == "ERROR" and "failed" in record.message]
