"""The open-loop generator against real sockets."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from benchmarks.serving.connection import request_bytes
from benchmarks.serving.open_loop import Arrival, offer, poisson

REQUEST = request_bytes("/", b"{}")


class SlowServer:
    """Answers one request at a time, each after `delay_s`; the statuses in turn."""

    def __init__(self, delay_s: float, statuses: tuple[int, ...]) -> None:
        self._delay_s, self._statuses, self._asked = delay_s, statuses, 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readexactly(len(REQUEST)):
                async with self.turn:
                    await asyncio.sleep(self._delay_s)
                status = self._statuses[self._asked % len(self._statuses)]
                self._asked += 1
                writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: 2\r\n\r\n{}" % status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def serve(self, listener: socket.socket, ended: threading.Event) -> None:
        self.turn = asyncio.Lock()
        server = await asyncio.start_server(self.answer, sock=listener)
        await asyncio.to_thread(ended.wait)
        server.close()
        await asyncio.sleep(0.05)  # the connections see their end


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(SlowServer(*request.param).serve(listener, ended)))
    thread.start()
    yield listener.getsockname()[1]
    ended.set()
    thread.join()


@pytest.mark.parametrize("port", [(0.05, (200,))], indirect=True)
def test_waiting_behind_a_slow_server_counts(port: int) -> None:
    """20 requests within 0.2 s for a server that takes 1 s for them: the last waits 0.8 s, though each takes 0.05 s alone.

    The last waits 0.76 s more than the first, however late a loaded machine lets the first begin.
    """
    offered = offer(port, [REQUEST], [Arrival(place * 0.01, 0) for place in range(20)])
    waits = sorted(wait for _, wait in offered.waits_s)
    assert len(waits) == 20
    assert waits[-1] > 0.75
    assert waits[-1] - waits[0] > 0.7
    assert offered.unanswered == 0


@pytest.mark.parametrize("port", [(0.0, (200, 503))], indirect=True)
def test_refusals_are_counted_and_have_no_latency(port: int) -> None:
    offered = offer(port, [REQUEST], [Arrival(place * 0.01, 0) for place in range(20)])
    assert (offered.refused, len(offered.waits_s)) == (10, 10)


def test_poisson_arrivals_keep_the_rate_and_take_requests_in_turn() -> None:
    arrivals = poisson(1000, 5, [3, 4], seed=1)
    assert len(arrivals) == 5000
    assert arrivals[-1].due_s == pytest.approx(5, rel=0.1)
    assert [arrival.request for arrival in arrivals[:4]] == [3, 4, 3, 4]
