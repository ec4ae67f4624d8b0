// All values after one word in numbers: for those who do not see the colours, or want to know exactly.
import { html } from "../dom.js";
import { CELLS } from "./gates.js";
import { number } from "./heat.js";

const LISTED = Object.entries(CELLS).map(([cell, { title, maps }]) => ({ cell, title, maps: maps.filter(Boolean) }));

/** A row for each unit, a column for each map. */
export function valuesTable(cells, word) {
  const groups = html("tr", {}, html("td"), ...LISTED.map(({ title, maps }) => html("th", { scope: "colgroup", colSpan: maps.length }, title)));
  const names = LISTED.flatMap(({ maps }) => maps.map(({ title, symbol }) => html("th", { scope: "col" }, html("abbr", { title }, symbol))));
  const columns = LISTED.flatMap(({ cell, maps }) => maps.map(({ name }) => cells[cell][name][word]));
  const rows = columns[0].map((_, unit) => html("tr", {}, html("th", { scope: "row" }, unit + 1), ...columns.map((values) => html("td", {}, number(values[unit])))));
  return html("table", { className: "values" }, html("thead", {}, groups, html("tr", {}, html("th", { scope: "col" }, "Unit"), ...names)), html("tbody", {}, ...rows));
}
