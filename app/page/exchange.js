// One panel's talk with the service: what was sent, who answered, and what went wrong, always in view.
import { Problem, send, stream } from "./api.js";
import { html } from "./dom.js";
import { RequestView } from "./request_view.js";

const IN_WORDS = {
  invalid_request: "The service does not accept this",
  body_too_large: "That is too much for one request",
  unauthenticated: "The service asks for an API key",
  forbidden: "This API key does not open it",
  rate_limited: "Too many requests for now",
  overloaded: "The service is busy",
  task_unavailable: "This model is not available",
  log_unavailable: "The service cannot keep its records",
  internal_error: "The service failed",
};

export class Exchange {
  #problem = html("div", { className: "problem", hidden: true, "role": "alert" });
  #answered = html("p", { className: "answered" });
  #requests = new RequestView();
  #isFault = false; // of this side: no answer makes up for it
  #isBarred = false; // what another key may mend
  #again;
  #named;
  #refused = null; // asks what was refused once more

  /** `again()` asks the panel's question once more, after a refusal or with another key; `named(words)` adds what is meant by the place in the body that a refusal begins with. */
  constructor(panel, again, named = (words) => words) {
    panel.querySelector("h2").after(this.#problem);
    panel.append(this.#answered, this.#requests.element);
    [this.#again, this.#named] = [again, named];
    document.addEventListener("key-changed", () => {
      this.#requests.show();
      // A panel out of view asks only what it was refused: what it shows else is an answer.
      if (this.#isBarred) this.#retry();
      else if (!panel.hidden) (this.#isFault ? this.#again : () => this.#retry())(); // no key mends a fault of this side
    });
  }

  /** The answer (to a GET where there is no `body`), or null where there is none to show: the problem stands on the page, or a later question has replaced this. Where the panel's question is not what to ask once more, `again()` does. */
  async ask(name, path, body, signal, again) {
    this.#requests.sent(name, path, body);
    return this.#unlessRefused(signal, again, async () => {
      const answer = await send(path, body, signal);
      if (signal.aborted) return null;
      this.#done(answer);
      return answer;
    });
  }

  /** Calls `onPiece(text)` as they come; the final answer, or null as `ask`. */
  async listen(name, path, body, signal, onPiece, again) {
    this.#requests.sent(name, path, body, true);
    return this.#unlessRefused(signal, again, async () => {
      for await (const [event, data] of stream(path, body, signal)) {
        if (event === "characters") onPiece(data.text);
        if (event === "done") {
          this.#done(data);
          return data;
        }
      }
      throw new Problem({ title: "The stream broke off", code: "broken_stream" });
    });
  }

  /** Show a fault found on this side, such as a file that is no CSV, until `clear`: answers to what was asked before may still come. It can be tried again where `again()` does so. */
  fault(title, detail, again) {
    this.#show(new Problem({ title, detail, code: "", status: again ? undefined : 400 }), again);
    this.#isFault = true;
  }

  /** Whether such a fault is on view. */
  get faulty() {
    return this.#isFault;
  }

  clear() {
    this.#problem.hidden = true;
    this.#isFault = this.#isBarred = false;
    this.#refused = null;
  }

  #retry() {
    (this.#refused ?? this.#again)();
  }

  async #unlessRefused(signal, again, work) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof Problem)) throw error;
      this.#show(error, again);
      return null;
    }
  }

  #done({ model, timing_ms, request_id }) {
    if (!this.#isFault) this.clear();
    if (!model) return;
    const run = `${timing_ms.run.toFixed(1)} ms in the network`;
    this.#answered.replaceChildren(`${model.cell?.toUpperCase() ?? "RNN, LSTM and GRU"} ${model.version}, ${run}, request `, html("code", {}, request_id));
  }

  #show({ title, message, status, code, request_id, errors, retryAfter_s }, again = null) {
    this.#refused = again;
    const lines = errors.slice(1).map(({ pointer, detail }) => html("li", {}, this.#named(`${pointer}: ${detail}`)));
    const wait = retryAfter_s === null ? "" : ` Worth trying again in ${retryAfter_s} s.`;
    const ids = [code && `Code ${code}`, request_id && `request ${request_id}`].filter(Boolean).join(", ");
    this.#problem.replaceChildren(
      html("p", {}, html("strong", {}, IN_WORDS[code] ?? title)),
      html("p", {}, message === title ? "" : this.#named(message), wait),
      html("ul", { hidden: !lines.length }, ...lines),
      html("p", { className: "note", hidden: !ids }, ids),
      // What was refused for what it says would be refused again, but not what only came too soon.
      html("button", { type: "button", hidden: status < 500 && retryAfter_s === null, onclick: () => this.#retry() }, "Try again"),
    );
    this.#problem.hidden = this.#isFault = false;
    this.#isBarred = status === 401 || status === 403;
  }
}
