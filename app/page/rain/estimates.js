// The model's millimetres with their interval, what physics says, and the gauge, on one axis.
import { picture, roundUp, scale, text } from "../chart.js";
import { svg } from "../dom.js";

const ROW = 30;
const NAMES = { marshall_palmer: "Marshall–Palmer", z_zdr: "R(Z, Zdr)", kdp: "R(Kdp)", csu_blend: "CSU blend" };
const LEFT = 122;
const RIGHT = 62;

export const mm = (value) => `${value.toFixed(value < 10 ? 2 : 1)} mm`;

export function estimates(width, { rain_mm, interval_90_mm: [low, high], baselines_mm }, gauge_mm) {
  const others = Object.entries(baselines_mm).map(([name, value]) => [NAMES[name] ?? name, value]);
  const rows = [["This network", rain_mm], ...others, ...(gauge_mm === null ? [] : [["Gauge", gauge_mm]])];
  const top = roundUp(Math.max(high, 1, ...rows.map(([, value]) => value)));
  const x = scale(0, top, LEFT, width - RIGHT);
  const y = (row) => 16 + row * ROW;
  const height = y(rows.length) + 14;
  const axis = [0, top / 2, top].flatMap((value) => [
    svg("line", { x1: x(value), x2: x(value), y1: 4, y2: height - 26, class: "rule" }),
    text(x(value), height - 8, value, { class: "tick middle" })]);
  const dots = rows.flatMap(([name, value], row) => [
    text(LEFT - 12, y(row) + 4, name, { class: row ? "tick end" : "tick end strong" }),
    svg("circle", { cx: x(value), cy: y(row), r: row ? 4.5 : 6, class: row ? "dot plain" : "dot accent" }, svg("title", {}, mm(value))),
    text(width, y(row) + 4, value.toFixed(2), { class: row ? "tick end" : "tick end strong" })]);
  const unit = text(width, height - 8, "mm", { class: "tick end" });
  const interval = svg("line", { x1: x(low), x2: x(high), y1: y(0), y2: y(0), class: "interval" });
  const words = rows.map(([name, value]) => `${name} ${mm(value)}`).join(", ");
  return picture(width, height, `${words}; 90 % interval ${mm(low)} to ${mm(high)}.`, ...axis, unit, interval, ...dots);
}
