// Many hours as a table: one row each, filled in as answers come.
import { html } from "../dom.js";
import { mm } from "./estimates.js";
import { inOrder, spark } from "./radar.js";

/** `choose(index)` is called for the hour whose name is pressed. Returns `fill(index, prediction)` and `mark(index)`. */
export function hoursTable(table, hours, choose) {
  const gauged = hours.some(({ gauge_mm }) => gauge_mm !== null);
  const heads = ["Hour", "Radar", "Rain", "90 % interval", "Marshall–Palmer", ...(gauged ? ["Gauge"] : [])];
  const rows = hours.map(({ id, scans, gauge_mm }, index) => {
    const name = html("button", { type: "button", className: "quiet", onclick: () => choose(index) }, id);
    const cells = ["…", "", "", ...(gauged ? [gauge_mm === null ? "" : mm(gauge_mm)] : [])];
    return html("tr", {}, html("th", { scope: "row" }, name), html("td", {}, spark(scans)), ...cells.map((cell) => html("td", {}, cell)));
  });
  const head = html("thead", {}, html("tr", {}, ...heads.map((name) => html("th", { scope: "col" }, name))));
  table.replaceChildren(head, html("tbody", {}, ...rows));
  return {
    fill(index, { rain_mm, interval_90_mm: [low, high], baselines_mm }) {
      const values = [mm(rain_mm), `${low.toFixed(2)} – ${mm(high)}`, mm(baselines_mm.marshall_palmer)];
      values.forEach((value, column) => (rows[index].cells[column + 2].textContent = value));
    },
    mark(index) {
      rows.forEach((row, each) => row.cells[0].firstChild.setAttribute("aria-pressed", each === index));
    },
  };
}

/** The scans of one hour in numbers. */
export function scansTable({ scans }) {
  const columns = ["minutes_past", "Ref", "Ref_5x5_10th", "Ref_5x5_90th", "RhoHV", "Zdr", "Kdp"];
  const head = html("tr", {}, ...columns.map((name) => html("th", { scope: "col" }, name.replace("minutes_past", "minute"))));
  const rows = inOrder(scans).map((scan) => html("tr", {}, ...columns.map((name) => html("td", {}, scan[name] ?? "–"))));
  return html("table", {}, html("thead", {}, head), html("tbody", {}, ...rows));
}
