"""How many requests one caller may send: a sliding window for each, in this process's memory.

Processes do not know of each other: N of them let N times as many through. What is left is told with every answer in the fields
RateLimit and RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers (revisions 8 to 11 write them alike).
"""

import math
import time

from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

Header = tuple[bytes, bytes]


class RateLimited(Exception):
    """More requests than are allowed; worth trying again after `retry_after_s` whole seconds."""

    def __init__(self, limit: RateLimitItem, retry_after_s: int) -> None:
        super().__init__(f"more requests than the {limit.amount} that are allowed in {limit.get_expiry()} s")
        self.retry_after_s = retry_after_s


class RateLimiter:
    """Two counters a caller, whatever the limit."""

    def __init__(self, limit: RateLimitItem) -> None:
        self._limit = limit
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._policy = (b"ratelimit-policy", f'"default";q={limit.amount};w={limit.get_expiry()}'.encode())

    def count(self, caller: str, headers: list[Header]) -> None:
        """One more request of this caller; `headers` learn what is left. Raises RateLimited."""
        within = self._windows.hit(self._limit, caller)
        reset_s, left = self._windows.get_window_stats(self._limit, caller)
        wait_s = max(1, math.ceil(reset_s - time.time()))
        headers += (self._policy, (b"ratelimit", f'"default";r={left if within else 0};t={wait_s}'.encode()))
        if not within:
            raise RateLimited(self._limit, wait_s)
