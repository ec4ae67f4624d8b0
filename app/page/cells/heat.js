// A heat map: a column for each word, a row for each unit, the colour its value.
import { scale, text } from "../chart.js";
import { html, svg } from "../dom.js";

/** Left of the columns, px: the same in every drawing of a cell, so that words stand below each other. */
export const LEFT = 44;
export const RIGHT = 8;
const ROW = 8;
const TOP = 2;

/** The middle of the column of word `index`, and how wide a column is, px. */
export function columns(width, words) {
  const step = (width - LEFT - RIGHT) / Math.max(words, 1);
  return { step, middle: (index) => LEFT + (index + 0.5) * step };
}

/** `values` [words][units] in [low, high]; the drawing has a mark that `markCell` moves. */
export function heatMap(width, values, { low, high }) {
  const { step } = columns(width, values.length);
  const units = values[0].length;
  const height = TOP + units * ROW + 2;
  const cells = values.flatMap((row, word) => row.map((value, unit) => {
    const place = { x: (LEFT + word * step).toFixed(2), y: TOP + unit * ROW, width: (step + 0.3).toFixed(2), height: ROW + 0.3 };
    return svg("rect", { ...place, class: value < 0 ? "negative" : "positive", style: `--strength:${strength(value, low, high)}%` });
  }));
  const ticks = [1, units].map((unit) => text(LEFT - 8, TOP + (unit - 0.5) * ROW + 4, unit, { class: "tick end" }));
  const mark = svg("rect", { class: "chosen", width: Math.max(step, 4), height: ROW, x: -99, y: 0 });
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": true }, ...ticks, ...cells, mark);
}

/** Puts the mark of a drawing at a word and a unit. */
export function markCell(drawing, words, word, unit) {
  const { step } = columns(drawing.viewBox.baseVal.width, words);
  const mark = drawing.querySelector(".chosen");
  mark.setAttribute("x", LEFT + word * step);
  mark.setAttribute("y", TOP + unit * ROW);
}

/** The word and the unit under a point of a drawing, px from its corner. */
export function cellAt(x, y, width, words, units) {
  const within = (value, count) => Math.max(0, Math.min(count - 1, Math.floor(value)));
  return [within(scale(LEFT, width - RIGHT, 0, words)(x), words), within((y - TOP) / ROW, units)];
}

/** The colours and their ends in numbers. */
export function legend({ low, high }) {
  const ends = [low, high].map((value) => html("span", {}, number(value, low < 0 ? 1 : 0)));
  return html("span", { className: low < 0 ? "legend signed" : "legend" }, ends[0], html("i", { "aria-hidden": "true" }), ends[1]);
}

export const number = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

const strength = (value, low, high) => Math.round((100 * Math.abs(value)) / Math.max(high, -low));
