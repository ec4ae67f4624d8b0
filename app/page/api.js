// Requests to the service, and the one error they end in.
import { key } from "./key.js";

/** A refusal: the service's problem document (RFC 9457), or words of the same shape when there is none. */
export class Problem extends Error {
  constructor({ title, detail, status, code, request_id = "", errors = [] }, retryAfter_s = null) {
    super(detail ?? title);
    Object.assign(this, { title, status, code, request_id, errors, retryAfter_s });
  }
}

const UNREACHABLE = {
  title: "The service cannot be reached",
  detail: `Nothing answers at ${location.origin}. Is it running, and is this machine connected to it?`,
  code: "unreachable",
};

const FOREIGN = {
  title: "This is no answer of the service",
  detail: "What came is no JSON: something between this page and the service has answered in its place.",
  code: "no_json",
};

/** The body of the answer to a POST, or to a GET where there is no `body`. Raises Problem, or AbortError when `signal` says so. */
export async function send(path, body, signal) {
  const response = await respond(path, body, signal);
  try {
    return await response.json();
  } catch (error) {
    throw error instanceof SyntaxError ? new Problem(FOREIGN) : reachable(error, signal);
  }
}

/** The server-sent events of the answer as they come: `[name, data]`. Raises like `send`, also on an event `error`. */
export async function* stream(path, body, signal) {
  const response = await respond(path, body, signal);
  let text = "";
  try {
    for await (const piece of chunks(response.body.pipeThrough(new TextDecoderStream()))) {
      const events = (text + piece).split("\n\n");
      text = events.pop();
      yield* events.map(parsed).filter(([name]) => name);
    }
  } catch (error) {
    throw reachable(error, signal);
  }
}

/** The absolute address of a path of the service, also behind a proxy that puts it under a prefix. */
export function address(path) {
  return new URL(path.slice(1), document.baseURI.replace(/[?#].*/, "")).href;
}

async function respond(path, body, signal) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const method = body ? "POST" : "GET";
  if (key()) headers.Authorization = `Bearer ${key()}`;
  let response;
  try {
    response = await fetch(address(path), { method, headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    throw reachable(error, signal);
  }
  if (response.ok) return response;
  if (response.status === 401) document.dispatchEvent(new Event("key-needed"));
  throw await refused(response);
}

async function refused(response) {
  const retryAfter = response.headers.get("Retry-After");
  const retryAfter_s = /^\d+$/.test(retryAfter) ? Number(retryAfter) : null;
  const { status, statusText } = response;
  const fallback = { title: `The answer was ${status} ${statusText}`, status, code: `http_${status}` };
  const body = await response.json().catch(() => null); // a gateway's answer may be anything
  return new Problem(body?.title && body.code ? body : fallback, retryAfter_s);
}

function reachable(error, signal) {
  return signal?.aborted || error instanceof Problem ? error : new Problem(UNREACHABLE);
}

// Not every browser can iterate over a stream.
async function* chunks(readable) {
  const reader = readable.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
}

function parsed(event) {
  const field = (name) => event.match(new RegExp(`^${name}: ?(.*)$`, "m"))?.[1];
  const [name, data] = [field("event"), field("data")];
  if (name === "error") throw new Problem(JSON.parse(data));
  return [name, data && JSON.parse(data)];
}
