// Every word in the colour of what it did to the verdict.
import { html } from "../dom.js";

const MOST_NAMED = 3;
const MOST_STRENGTH = 45; // % of colour in the background: the text stays easy to read

/** The text with a mark on each of `words`: `{text, start, end, weight}`, offsets in characters (code points). */
export function colouredWords(text, words) {
  const characters = [...text];
  const most = Math.max(...words.map(({ weight }) => Math.abs(weight)), 1e-9);
  const nodes = [];
  let end = 0;
  for (const word of words.toSorted((one, other) => one.start - other.start)) {
    const side = word.weight >= 0 ? "positive" : "negative";
    const mark = html("span", { className: side, title: signed(word.weight) }, characters.slice(word.start, word.end).join(""));
    mark.style.setProperty("--strength", `${Math.round((MOST_STRENGTH * Math.abs(word.weight)) / most)}%`);
    nodes.push(characters.slice(end, word.start).join(""), mark);
    end = word.end;
  }
  return [...nodes, characters.slice(end).join("")];
}

/** The same in a sentence, for those who do not see the colours. */
export function moversInWords(words) {
  const strongest = (side) => words.filter(({ weight }) => weight * side > 0)
    .toSorted((one, other) => side * (other.weight - one.weight)).slice(0, MOST_NAMED)
    .map(({ text, weight }) => `“${text}” (${signed(weight)})`).join(", ");
  return `Towards positive: ${strongest(1) || "none"}. Towards negative: ${strongest(-1) || "none"}.`;
}

const signed = (weight) => `${weight < 0 ? "−" : "+"}${Math.abs(weight).toFixed(2)}`;
