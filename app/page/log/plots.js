// The log over time: requests as bars, their median latency as a line, their scores as a map; and a feature beside its reference.
import { path, picture, roundUp, scale, text } from "../chart.js";
import { svg } from "../dom.js";
import { count, duration, moment } from "./words.js";

const EDGE = { left: 48, right: 10, top: 10, bottom: 22 };
const HEIGHT = 120;

const inner = (width, count) => {
  const step = (width - EDGE.left - EDGE.right) / count;
  return { step, left: (index) => EDGE.left + index * step };
};

/** Bars of all requests, and in the colour of errors those that were refused or failed. */
export function requestBars(width, slices, slice_s) {
  const { step, left } = inner(width, slices.length);
  const most = roundUp(Math.max(1, ...slices.map(({ requests }) => requests)));
  const y = scale(0, most, HEIGHT - EDGE.bottom, EDGE.top);
  const bar = (index, height, kind) => svg("rect", { x: left(index) + 1, width: Math.max(step - 2, 1), y: y(height), height: Math.max(0, y(0) - y(height)), class: `bar ${kind}` },
    svg("title", {}, `${moment(slices[index].since, slice_s)}: ${slices[index].requests} requests, ${slices[index].errors} errors`));
  const bars = slices.flatMap(({ requests, errors }, index) => [bar(index, requests, "all"), ...(errors ? [bar(index, errors, "errors")] : [])]);
  const total = slices.reduce((sum, { requests }) => sum + requests, 0);
  const errors = slices.reduce((sum, slice) => sum + slice.errors, 0);
  return picture(width, HEIGHT, `Requests over time: ${total} in all, ${errors} answered with an error.`,
    ...grid(width, [0, most], y, count), ...bars, ...times(width, slices, slice_s));
}

/** The median of each slice; the line breaks where nothing was answered. */
export function latencyLine(width, slices, slice_s) {
  const { step, left } = inner(width, slices.length);
  const known = slices.map(({ p50_ms }) => p50_ms).filter((value) => value !== null);
  if (!known.length) return nothing(width, "no answer in this window");
  const most = roundUp(Math.max(...known));
  const y = scale(0, most, HEIGHT - EDGE.bottom, EDGE.top);
  const points = slices.map(({ p50_ms }, index) => (p50_ms === null ? [] : [left(index) + step / 2, y(p50_ms)]));
  const dots = points.flatMap((point, index) => (point.length ? [svg("circle", { cx: point[0], cy: point[1], r: 3, class: "dot accent" },
    svg("title", {}, `${moment(slices[index].since, slice_s)}: ${duration(slices[index].p50_ms)}`))] : []));
  return picture(width, HEIGHT, `Median latency over time, from ${duration(Math.min(...known))} to ${duration(Math.max(...known))}.`,
    ...grid(width, [0, most], y, duration), svg("path", { d: path(points), class: "line accent" }), ...dots, ...times(width, slices, slice_s));
}

/** A column for each slice, a row for each bin of scores, the highest on top; the colour is the share of the slice's items. */
export function scoreMap(width, slices, edges, slice_s) {
  const { step, left } = inner(width, slices.length);
  const rows = edges.length + 1;
  const y = scale(0, rows, HEIGHT - EDGE.bottom, EDGE.top);
  const items = slices.map(({ scores }) => scores.reduce((sum, count) => sum + count, 0));
  const total = items.reduce((sum, count) => sum + count, 0);
  if (!total) return nothing(width, "no score in this window");
  const cells = slices.flatMap(({ since, scores }, index) => scores.map((count, bin) => {
    const share = items[index] ? Math.round((100 * count) / items[index]) : 0;
    const place = { x: left(index).toFixed(2), width: (step + 0.3).toFixed(2), y: y(bin + 1).toFixed(2), height: (y(0) - y(1) + 0.3).toFixed(2) };
    return svg("rect", { ...place, class: "share", style: `--strength:${share}%` },
      svg("title", {}, `${moment(since, slice_s)}, ${between(edges, bin)}: ${count} of ${items[index]}`));
  }));
  const middle = Math.floor(edges.length / 2);
  const ticks = [0, middle, edges.length - 1].map((edge) => text(EDGE.left - 8, y(edge + 1) + 4, edges[edge], { class: "tick end" }));
  return picture(width, HEIGHT, `Distribution of scores over time, from ${total} items.`, ...ticks, ...cells, ...times(width, slices, slice_s));
}

/** Shares of the validation data as outlines, of what was asked as bars. */
export function besideReference(width, { edges, reference, recent }) {
  const height = 64;
  const step = width / reference.length;
  const y = scale(0, Math.max(...reference, ...recent, 0.01), height - 16, 4);
  const bars = recent.map((share, bin) => svg("rect", { x: bin * step + 2, width: step - 4, y: y(share), height: y(0) - y(share), class: "bar all" }));
  const outlines = reference.map((share, bin) => svg("line", { x1: bin * step + 1, x2: (bin + 1) * step - 1, y1: y(share), y2: y(share), class: "reference" }));
  const ends = [text(step, height - 2, edges[0], { class: "tick middle" }), text(edges.length * step, height - 2, edges.at(-1), { class: "tick middle" })];
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": true }, ...bars, ...outlines, ...(edges.length > 1 ? ends : ends.slice(0, 1)));
}

function grid(width, values, y, named) {
  return values.flatMap((value) => [
    svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value), class: "rule" }),
    text(EDGE.left - 8, y(value) + 4, named(value), { class: "tick end" })]);
}

function times(width, slices, slice_s) {
  const { left } = inner(width, slices.length);
  return [0, Math.floor(slices.length / 2)].map((index) => text(left(index), HEIGHT - 6, moment(slices[index].since, slice_s), { class: "tick" }))
    .concat(text(width - EDGE.right, HEIGHT - 6, "now", { class: "tick end" }));
}

const nothing = (width, words) => picture(width, 48, words, text(width / 2, 28, words, { class: "tick middle" }));

function between(edges, bin) {
  if (bin === 0) return `up to ${edges[0]}`;
  return bin === edges.length ? `above ${edges.at(-1)}` : `${edges[bin - 1]} to ${edges[bin]}`;
}
