// The log: what was asked, how fast and how rightly it was answered, and whether what is asked has drifted.
import { responsive } from "../chart.js";
import { html, partsOf } from "../dom.js";
import { Exchange } from "../exchange.js";
import { latest } from "../latest.js";
import { besideReference, latencyLine, requestBars, scoreMap } from "./plots.js";
import { driftInWords, featureName, feedbackInWords, duration } from "./words.js";

const WINDOWS = { "Last hour": 1, "Last day": 24, "Last week": 168, "Last month": 720 };
const SCORES = { probability: "Probability of positive", rain_mm: "Estimated rain, mm", bits_per_character: "Bits a character" };

export function logPanel(panel) {
  const parts = partsOf(panel);
  const exchange = new Exchange(panel, () => read());
  let hours = 24;

  const read = latest(0, async (signal) => {
    buttons.forEach((button) => button.setAttribute("aria-pressed", WINDOWS[button.textContent] === hours));
    const stats = await exchange.ask("Statistics", `/v1/stats?hours=${hours}`, null, signal);
    if (signal.aborted) return;
    parts.figures.hidden = !stats;
    parts.read.textContent = "";
    if (stats) show(parts, stats);
  });

  const choose = (name) => {
    hours = WINDOWS[name];
    read();
  };
  const buttons = Object.keys(WINDOWS).map((name) => html("button", { type: "button", onclick: () => choose(name) }, name));
  parts.windows.append(...buttons);
  parts.refresh.addEventListener("click", () => read());
  read();
}

function show(parts, stats) {
  const asked = stats.requests.reduce((sum, { requests }) => sum + requests, 0);
  const at = new Date(stats.until).toLocaleTimeString("en-GB");
  parts.read.textContent = `${asked.toLocaleString("en")} requests, read at ${at}.`;
  parts.summary.replaceChildren(summary(stats));
  parts.statuses.replaceChildren(statuses(stats.requests));
  parts.tasks.replaceChildren(...stats.tasks.map((task) => taskSection(task, stats.slice_s)));
}

function table(heads, rows) {
  const cell = (value, index) => (index ? html("td", {}, value) : html("th", { scope: "row" }, value));
  return html("table", {}, html("thead", {}, html("tr", {}, ...heads.map((head) => html("th", { scope: "col" }, head)))),
    html("tbody", {}, ...rows.map((row) => html("tr", {}, ...row.map(cell)))));
}

function summary({ tasks }) {
  const heads = ["Task", "Requests", "Errors", "Items", "Half within", "90 % within", "99 % within"];
  return table(heads, tasks.map(({ task, requests, errors, items, latency_ms }) => [
    task, ...[requests, errors, items].map((count) => count.toLocaleString("en")), ...["p50", "p90", "p99"].map((name) => duration(latency_ms?.[name]))]));
}

function statuses(requests) {
  return table(["Task", "Status", "Requests"], requests.map(({ task, status, requests: count }) => [task ?? "none", status, count.toLocaleString("en")]));
}

function taskSection({ task, slices, score, score_edges, drift, feedback, sampled }, slice_s) {
  const id = `log-${task}`;
  const title = task[0].toUpperCase() + task.slice(1);
  const sample = `From ${sampled.toLocaleString("en")} ${sampled === 1 ? "answer" : "answers"}.`;
  return html("section", { className: "log-task", "aria-labelledby": id }, html("h3", { id }, title),
    html("div", { className: "plots" },
      figure("Requests", "Blue all, orange those answered with an error.", (width) => requestBars(width, slices, slice_s)),
      figure("Median latency", sample, (width) => latencyLine(width, slices, slice_s)),
      figure(`Scores: ${SCORES[score] ?? score}`, "The stronger the colour, the more of its time’s items.", (width) => scoreMap(width, slices, score_edges, slice_s))),
    html("h4", {}, "Feedback"), html("p", {}, feedbackInWords(feedback)),
    html("h4", {}, "Is what is asked still what the model was validated on?"),
    html("p", { className: "note" }, compared(drift)),
    driftList(drift.features));
}

function compared({ version, features }) {
  if (!version) return "No model is served.";
  return features.some(({ reference }) => reference.length) ? `Bars: what was asked of ${version}. Lines: its validation data.` : `What was asked of ${version}:`;
}

function figure(title, words, draw) {
  const place = html("div", { className: "chart" });
  responsive(place, draw);
  return html("figure", {}, html("figcaption", {}, html("h4", {}, title), html("p", { className: "note" }, words)), place);
}

function driftList(features) {
  return html("ul", { className: "drift" }, ...features.map((feature) => {
    const place = html("div", { className: "chart" });
    if (feature.recent.length) responsive(place, (width) => besideReference(width, feature));
    return html("li", { className: feature.verdict }, html("strong", {}, featureName(feature.feature)), `: ${driftInWords(feature)}.`, ...(feature.recent.length ? [place] : []));
  }));
}
