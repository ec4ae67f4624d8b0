// The verdict as the network reads: a line over the words, above the middle for positive, below for negative.
import { path, picture, scale, text } from "../chart.js";
import { svg } from "../dom.js";

const HEIGHT = 190;
const EDGE = { left: 78, right: 14, top: 12, bottom: 26 };

/** `probabilities` after each of `words`; `chosen` is the index that is marked. */
export function verdictLine(width, probabilities, words, chosen) {
  const x = scale(0, Math.max(probabilities.length - 1, 1), EDGE.left, width - EDGE.right);
  const y = scale(0, 1, HEIGHT - EDGE.bottom, EDGE.top);
  const points = probabilities.map((probability, index) => [x(index), y(probability)]);
  const middle = y(0.5);
  const area = `${path([[x(0), middle], ...points, [x(probabilities.length - 1), middle]])}Z`;
  const half = (name, top, height) =>
    svg("svg", { x: 0, y: top, width, height, viewBox: `0 ${top} ${width} ${height}` },
      svg("path", { d: area, class: `area ${name}` }), svg("path", { d: path(points), class: `line ${name}` }));
  const [markX, markY] = points[chosen];
  return picture(width, HEIGHT, described(probabilities, words),
    svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: middle, y2: middle, class: "rule" }),
    text(EDGE.left - 10, y(1) + 4, "positive", { class: "tick end" }),
    text(EDGE.left - 10, middle + 4, "undecided", { class: "tick end" }),
    text(EDGE.left - 10, y(0) + 4, "negative", { class: "tick end" }),
    half("positive", 0, middle), half("negative", middle, HEIGHT - middle),
    svg("line", { x1: markX, x2: markX, y1: EDGE.top, y2: HEIGHT - EDGE.bottom, class: "mark" }),
    svg("circle", { cx: markX, cy: markY, r: 5, class: probabilities[chosen] >= 0.5 ? "dot positive" : "dot negative" }),
    ...(words.length > 1 ? [text(EDGE.left, HEIGHT - 6, "first word", { class: "tick" })] : []),
    text(width - EDGE.right, HEIGHT - 6, "last word", { class: "tick end" }));
}

/** The index of the word nearest to `x` px in a line of that width. */
export function wordAt(x, width, count) {
  const index = Math.round(scale(EDGE.left, width - EDGE.right, 0, count - 1)(x));
  return Math.max(0, Math.min(count - 1, index));
}

function described(probabilities, words) {
  const at = (index) => `${Math.round(100 * probabilities[index])} % after “${words[index]}”`;
  const [low, high] = [Math.min(...probabilities), Math.max(...probabilities)].map((value) => probabilities.indexOf(value));
  return `Probability of positive as the text is read: first ${at(0)}, lowest ${at(low)}, highest ${at(high)}, last ${at(probabilities.length - 1)}.`;
}
