// A request as programs that send it: pure functions of path and body; without a body it is a GET.
import { address } from "./api.js";
import { key } from "./key.js";

const MOST_ARGUMENT = 100_000; // characters; Linux takes 128 KiB

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(path, body) {
  const lines = [
    `curl -sS${body?.stream ? "N" : ""} ${body ? address(path) : quoted(address(path))}`,
    ...(body ? ["-H 'Content-Type: application/json'"] : []),
    ...(key() ? ['-H "Authorization: Bearer $GATEHOUSE_KEY"'] : []),
    ...(body ? [data(JSON.stringify(body))] : []),
  ];
  return lines.join(" \\\n  ");
}

/** A body too long for an argument is read from what follows the command. */
function data(json) {
  return json.length > MOST_ARGUMENT ? `--data-binary @- <<'END'\n${json}\nEND` : `-d ${quoted(json)}`;
}

/** A JSON value as Python writes it. JSON's strings and numbers are Python's, too. */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${literal(item)}`).join(", ")}}`;
}

function python(path, body) {
  const headers = key() ? ['    headers={"Authorization": f"Bearer {os.environ[\'GATEHOUSE_KEY\']}"},'] : [];
  const call = [`    "${address(path)}",`, ...headers, ...(body ? [`    json=${literal(body)},`] : []), "    timeout=60,"];
  const imports = [...(key() ? ["import os", ""] : []), "import httpx", ""];
  const lines = body?.stream
    ? ["with httpx.stream(", '    "POST",', ...call, ") as answer:", "    for line in answer.iter_lines():", "        print(line)"]
    : [`answer = httpx.${body ? "post" : "get"}(`, ...call, ")", "print(answer.json())"];
  return [...imports, ...lines].join("\n");
}

function javascript(path, body) {
  const headers = [...(body ? ['"Content-Type": "application/json"'] : []), ...(key() ? ["Authorization: `Bearer ${process.env.GATEHOUSE_KEY}`"] : [])];
  const sent = [
    ...(body ? ['  method: "POST",'] : []),
    ...(headers.length ? [`  headers: { ${headers.join(", ")} },`] : []),
    ...(body ? [`  body: JSON.stringify(${JSON.stringify(body)}),`] : []),
  ];
  const read = body?.stream
    ? ["for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) console.log(piece);"]
    : ["console.log(await answer.json());"];
  return [
    ...(sent.length ? [`const answer = await fetch("${address(path)}", {`, ...sent, "});"] : [`const answer = await fetch("${address(path)}");`]),
    ...read,
  ].join("\n");
}

export const LANGUAGES = { curl, Python: python, JavaScript: javascript };
