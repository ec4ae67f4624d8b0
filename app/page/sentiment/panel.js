// Sentiment: the verdict while you type, and how it came about.
import { responsive } from "../chart.js";
import { partsOf } from "../dom.js";
import { Exchange } from "../exchange.js";
import { tell } from "../feedback.js";
import { latest } from "../latest.js";
import { verdictLine, wordAt } from "./line.js";
import { lastWord, prefixEnds } from "./prefixes.js";
import { colouredWords, moversInWords } from "./words.js";

const PAUSE_MS = 180;
const PATH = "/v1/sentiment";

export function sentimentPanel(panel) {
  const parts = partsOf(panel);
  const field = panel.querySelector("#text");
  const line = new ReadingLine(panel);
  const exchange = new Exchange(panel, () => ask());
  const verdict = panel.querySelector(".verdict");
  const reading = panel.querySelector("figure");
  let judged = null; // the answer that feedback is about

  const ask = latest(PAUSE_MS, async (signal) => {
    const text = field.value;
    judged = null;
    parts.feedback.hidden = true;
    if (!text) exchange.clear();
    busy(true, verdict, reading, parts.words);
    const answer = text && (await exchange.ask("Verdict", PATH, { texts: [text], explain: true }, signal));
    if (signal.aborted) return;
    busy(false, verdict, parts.words);
    if (!answer) {
      showNothing(panel, parts);
      showLine([], []);
      return;
    }
    judged = answer;
    parts.feedback.hidden = false;
    parts.told.textContent = "";
    showVerdict(panel, parts, answer.predictions[0]);
    showWords(panel, parts, text, answer.predictions[0].words);
    const texts = prefixEnds(text).map((end) => text.slice(0, end));
    const read = texts.length && (await exchange.ask("As it reads", PATH, { texts }, signal));
    if (!signal.aborted) showLine(read ? texts.map((prefix) => lastWord(prefix, prefix.length)) : [], read ? read.predictions : []);
  });

  function showLine(words, predictions) {
    line.show(words, predictions);
    busy(false, reading);
  }

  parts.feedback.addEventListener("click", ({ target }) => {
    const right = target.closest("[data-right]")?.dataset.right;
    if (!right || !judged) return;
    const about = judged;
    tell(exchange, about.request_id, { item: 0, label: trueLabel(about.predictions[0], right === "yes") }, parts.told, () => judged === about);
  });
  field.addEventListener("input", () => ask());
  panel.querySelector(".chips").addEventListener("click", ({ target }) => {
    if (!target.dataset.text) return;
    field.value = target.dataset.text;
    ask();
  });
  ask();
}

/** Of places that show what was said of an earlier text, until the answer comes. */
function busy(on, ...places) {
  places.forEach((place) => place.setAttribute("aria-busy", on));
}

const trueLabel = ({ label }, right) => (right === (label === "positive") ? "positive" : "negative");

/** What was said of another text is not left standing beside this one. */
function showNothing(panel, parts) {
  delete panel.querySelector(".verdict").dataset.label;
  parts.label.textContent = "…";
  parts.sentence.textContent = "Type to see the verdict.";
  panel.querySelector(".balance span").style.removeProperty("left");
  parts.words.hidden = true;
}

function showVerdict(panel, parts, { label, probability, tokens_read, truncated }) {
  const certainty = 100 * Math.max(probability, 1 - probability);
  panel.querySelector(".verdict").dataset.label = label;
  parts.label.textContent = label === "positive" ? "Positive" : "Negative";
  const left = truncated ? "; the middle of the text was left out" : "";
  parts.sentence.textContent = `${certainty.toFixed(1)} % sure, from ${tokens_read} words and symbols${left}.`;
  panel.querySelector(".balance span").style.setProperty("left", `${100 * probability}%`);
}

function showWords(panel, parts, text, words) {
  parts.words.hidden = !words.length;
  panel.querySelector("p.words").replaceChildren(...colouredWords(text, words));
  parts.movers.textContent = moversInWords(words);
}

/** The line and the slider that walks along it. */
class ReadingLine {
  #words = [];
  #probabilities = [];

  constructor(panel) {
    const place = panel.querySelector("[data-part=line]");
    this.slider = panel.querySelector("#reading");
    this.readout = panel.querySelector(".readout");
    this.redraw = responsive(place, (width) => this.#words.length && verdictLine(width, this.#probabilities, this.#words, this.#chosen));
    this.slider.addEventListener("input", () => this.#read());
    place.addEventListener("pointermove", (event) => {
      if (!this.#words.length) return;
      const { left, width } = place.getBoundingClientRect();
      this.slider.value = wordAt(event.clientX - left, width, this.#words.length);
      this.#read();
    });
  }

  show(words, predictions) {
    [this.#words, this.#probabilities] = [words, predictions.map(({ probability }) => probability)];
    this.slider.max = Math.max(words.length - 1, 0);
    this.slider.value = this.slider.max;
    this.#read();
  }

  get #chosen() {
    return Number(this.slider.value);
  }

  #read() {
    const sentence = !this.#words.length ? "" : `After “${this.#words[this.#chosen]}”: ${(100 * this.#probabilities[this.#chosen]).toFixed(1)} % positive`;
    this.readout.textContent = sentence;
    this.slider.setAttribute("aria-valuetext", sentence);
    this.redraw();
  }
}
