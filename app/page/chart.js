// What all plots share: a drawing that follows the width of its place, scales, and an axis.
import { svg } from "./dom.js";

/** Draws `draw(width_px)` into `place`, and anew whenever its width changes; returns a function that draws at once. */
export function responsive(place, draw) {
  let width = 0;
  const redraw = () => place.clientWidth && place.replaceChildren(...[draw(place.clientWidth)].filter(Boolean));
  new ResizeObserver(([{ contentRect }]) => {
    if (Math.round(contentRect.width) === width) return;
    width = Math.round(contentRect.width);
    redraw();
  }).observe(place);
  return redraw;
}

/** From values in [low, high] to pixels between `from` and `to`. */
export const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);

/** A picture with a description, its size in px. */
export function picture(width, height, description, ...children) {
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  return svg("svg", { ...size, role: "img", "aria-label": description }, ...children);
}

export const text = (x, y, words, attributes = {}) => svg("text", { x, y, ...attributes }, words);

/** The points of a path; `[]` where the line breaks off. */
export function path(points) {
  let pen = "M";
  return points.map((point) => {
    const step = point.length ? `${pen}${point.map((value) => value.toFixed(1)).join(" ")}` : "";
    pen = point.length ? "L" : "M";
    return step;
  }).join("");
}

/** The least of 1, 2, 5 times a power of ten that is at least `value`. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((step) => step * power >= value * 0.999);
}
