"""How many examples each fuzz test takes: a few with every run of the tests, many with `make fuzz`."""

import os
from typing import Any

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("GATEHOUSE_FUZZ_EXAMPLES", "40"))


def fuzzed(test: Any) -> Any:
    """A hypothesis test with that many examples, however slow the machine."""
    unhurried = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    return settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=unhurried)(test)
