// An hour of radar: reflectivity over minutes, with the spread of the neighbourhood.
import { path, picture, scale, text } from "../chart.js";
import { svg } from "../dom.js";

const HEIGHT = 270;
const EDGE = { left: 40, right: 66, top: 14, bottom: 40 };
const STRENGTHS = [[20, "light"], [35, "moderate"], [50, "heavy"]];

export const inOrder = (scans) => scans.toSorted((one, other) => one.minutes_past - other.minutes_past);

export function radarHour(width, { scans }) {
  const ordered = inOrder(scans);
  const x = scale(0, 60, EDGE.left, width - EDGE.right);
  const values = ordered.flatMap((scan) => [scan.Ref, scan.Ref_5x5_10th, scan.Ref_5x5_90th]).filter(Number.isFinite);
  const low = Math.min(0, 10 * Math.floor(Math.min(...values, 0) / 10));
  const high = Math.max(50, 10 * Math.ceil(Math.max(...values, 0) / 10));
  const y = scale(low, high, HEIGHT - EDGE.bottom, EDGE.top);
  const point = (scan, name) => (Number.isFinite(scan[name]) ? [x(scan.minutes_past), y(scan[name])] : []);
  const measured = ordered.filter(({ Ref }) => Number.isFinite(Ref));
  return picture(width, HEIGHT, described(ordered, measured),
    ...ticks(low, high).flatMap((dbz) => [
      svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(dbz), y2: y(dbz), class: "rule" }),
      text(EDGE.left - 8, y(dbz) + 4, dbz, { class: "tick end" })]),
    ...STRENGTHS.map(([dbz, name]) => text(width - EDGE.right + 8, y(dbz) + 4, name, { class: "tick" })),
    ...[0, 15, 30, 45, 60].map((minute) => text(x(minute), HEIGHT - 20, minute, { class: "tick middle" })),
    text(x(30), HEIGHT - 4, "minutes past the hour", { class: "tick middle" }),
    ...bands(ordered, point).map((d) => svg("path", { d, class: "band" })),
    svg("path", { d: path(ordered.map((scan) => point(scan, "Ref"))), class: "line accent" }),
    ...measured.map((scan) => dot(scan, ...point(scan, "Ref"))),
    ...(measured.length ? [] : [text((EDGE.left + width - EDGE.right) / 2, HEIGHT / 2 - 20, "no echo over the gauge", { class: "tick middle" })]));
}

/** The same small, for a row of a table. */
export function spark(scans) {
  const [x, y] = [scale(0, 60, 1, 95), scale(-5, 60, 23, 1)];
  const points = inOrder(scans).map(({ minutes_past, Ref }) => (Number.isFinite(Ref) ? [x(minutes_past), y(Ref)] : []));
  const dots = points.filter((point) => point.length).map(([cx, cy]) => svg("circle", { cx, cy, r: 1.6, class: "dot accent" }));
  return svg("svg", { width: 96, height: 24, viewBox: "0 0 96 24", "aria-hidden": true, class: "spark" },
    svg("path", { d: path(points), class: "line accent" }), ...dots);
}

function ticks(low, high) {
  return Array.from({ length: (high - low) / 10 + 1 }, (_, index) => low + 10 * index);
}

function dot({ minutes_past, Ref }, cx, cy) {
  return svg("circle", { cx, cy, r: 4, class: "dot accent" }, svg("title", {}, `minute ${minutes_past}: ${Ref} dBZ`));
}

/** One area for each run of scans that know both ends of the spread; a single scan is a stroke. */
function bands(scans, point) {
  const runs = [[]];
  for (const scan of scans) {
    const ends = [point(scan, "Ref_5x5_10th"), point(scan, "Ref_5x5_90th")];
    if (ends.every(({ length }) => length)) runs.at(-1).push(ends);
    else runs.push([]);
  }
  return runs.filter((run) => run.length)
    .map((run) => `${path([...run.map(([low]) => low), ...run.map(([, high]) => high).reverse()])}Z`);
}

function described(scans, measured) {
  if (!measured.length) return `${scans.length} scans, none of which has an echo over the gauge.`;
  const strongest = measured.reduce((one, other) => (other.Ref > one.Ref ? other : one));
  return `${scans.length} scans, ${measured.length} with reflectivity over the gauge; strongest ${strongest.Ref} dBZ at minute ${strongest.minutes_past}.`;
}
