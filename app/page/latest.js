// The newest of many calls.

/**
 * A function that runs `work(signal, ...values)` when no call has come for `pause_ms`. A new call aborts the work under way, so
 * that no answer is shown after that of a later question.
 */
export function latest(pause_ms, work) {
  let timer;
  let controller = new AbortController();
  return (...values) => {
    clearTimeout(timer);
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    timer = setTimeout(() => work(signal, ...values), pause_ms);
  };
}
