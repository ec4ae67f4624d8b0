// The probability after each word, over the same columns as the maps, with the words below.
import { path, picture, scale, text } from "../chart.js";
import { svg } from "../dom.js";
import { columns, LEFT, RIGHT } from "./heat.js";

const HEIGHT = 176;
const EDGE = { top: 8, bottom: 72 };
const LEAST_STEP = 11; // px between words that can be read
const MOST_LETTERS = 10;

/** `probabilities` after each of `words`; `chosen` is the index that is marked. */
export function verdictOverWords(width, probabilities, words, chosen) {
  const { step, middle } = columns(width, words.length);
  const y = scale(0, 1, HEIGHT - EDGE.bottom, EDGE.top);
  const every = Math.ceil(LEAST_STEP / step);
  const ticks = [0, 0.5, 1].flatMap((share) => [
    svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(share), y2: y(share), class: "rule" }),
    text(LEFT - 8, y(share) + 4, `${100 * share} %`, { class: "tick end" })]);
  const labels = words.map((word, index) => ((index === chosen || (index % every === 0 && Math.abs(index - chosen) >= every)) ? label(word, middle(index), index === chosen) : ""));
  const points = probabilities.map((share, index) => [middle(index), y(share)]);
  const [cx, cy] = points[chosen];
  return picture(width, HEIGHT, described(probabilities, words), ...ticks,
    svg("line", { x1: cx, x2: cx, y1: EDGE.top, y2: HEIGHT - EDGE.bottom, class: "mark" }),
    svg("path", { d: path(points), class: "line accent" }),
    svg("circle", { cx, cy, r: 4.5, class: probabilities[chosen] >= 0.5 ? "dot positive" : "dot negative" }),
    ...labels.filter(Boolean));
}

function label(word, x, strong) {
  const letters = [...word];
  const short = letters.length > MOST_LETTERS ? `${letters.slice(0, MOST_LETTERS - 1).join("")}…` : word;
  const y = HEIGHT - EDGE.bottom + 10;
  return text(x + 4, y, short, { class: strong ? "tick end strong" : "tick end", transform: `rotate(-90 ${x + 4} ${y})` });
}

function described(probabilities, words) {
  const last = probabilities.length - 1;
  const at = (index) => `${Math.round(100 * probabilities[index])} % after “${words[index]}”`;
  const jumps = probabilities.map((share, index) => Math.abs(share - (index ? probabilities[index - 1] : 0.5)));
  return `Probability of positive after each word: first ${at(0)}, largest step to ${at(jumps.indexOf(Math.max(...jumps)))}, last ${at(last)}.`;
}
