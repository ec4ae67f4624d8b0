// The three cells side by side: of each the verdict, then a map for each gate and state; one word and one unit are chosen in all.
import { responsive } from "../chart.js";
import { html } from "../dom.js";
import { CELLS } from "./gates.js";
import { cellAt, heatMap, legend, markCell, number } from "./heat.js";
import { verdictOverWords } from "./verdict.js";

/** A cell's column. `choose(word, unit)` is called when the reader points at something in it. */
export class CellColumn {
  constructor(cell, choose) {
    const { title, about, maps, gap, note } = CELLS[cell];
    this.cell = cell;
    this.verdict = new Verdict(title, choose);
    this.maps = maps.filter(Boolean).map((map) => new GateMap(title, map, choose));
    const [...figures] = this.maps;
    const rows = maps.map((map) => (map ? figures.shift().element : html("p", { className: "note" }, gap)));
    this.element = html("section", { className: "cell", "aria-labelledby": `cell-${cell}` },
      html("div", {}, html("h3", { id: `cell-${cell}` }, title), html("p", { className: "note" }, about)),
      this.verdict.element, ...rows, ...(note ? [html("p", { className: "note last" }, note)] : []));
  }

  show(words, inside) {
    this.verdict.show(words, inside.probabilities);
    this.maps.forEach((map) => map.show(words, inside[map.name]));
  }

  mark(word, unit) {
    this.verdict.mark(word);
    this.maps.forEach((map) => map.mark(word, unit));
  }
}

class Verdict {
  #words = [];
  #probabilities = [];
  #word = 0;

  constructor(title, choose) {
    const place = html("div", { className: "chart" });
    this.readout = html("p", { className: "readout" });
    this.element = html("figure", {}, this.readout, place);
    this.redraw = responsive(place, (width) => this.#words.length && verdictOverWords(width, this.#probabilities, this.#words, this.#word));
    place.addEventListener("pointermove", (event) => {
      if (!this.#words.length) return;
      const { left, width } = place.getBoundingClientRect();
      choose(cellAt(event.clientX - left, 0, width, this.#words.length, 1)[0]);
    });
  }

  show(words, probabilities) {
    [this.#words, this.#probabilities] = [words, probabilities];
  }

  mark(word) {
    this.#word = word;
    this.readout.textContent = `${(100 * this.#probabilities[word]).toFixed(1)} % positive after “${this.#words[word]}”`;
    this.redraw();
  }
}

/** A map that is read like a slider: arrows walk over words and units. */
class GateMap {
  #words = [];
  #values = [];
  #range;
  #chosen = [0, 0];

  constructor(cell, map, choose) {
    [this.name, this.map, this.choose] = [map.name, map, choose];
    this.legend = html("span");
    this.readout = html("p", { className: "note value" });
    this.place = html("div", { className: "chart heat", role: "slider", tabIndex: 0, "aria-label": `${cell}, ${map.title.toLowerCase()}` });
    this.element = html("figure", {},
      html("figcaption", {}, html("h4", {}, map.title, " ", html("i", {}, map.symbol)), this.legend, html("p", { className: "equation" }, ...equation(map.equation))),
      this.place, this.readout, html("p", { className: "note" }, map.sentence));
    this.redraw = responsive(this.place, (width) => this.#draw(width));
    this.place.addEventListener("pointermove", (event) => this.#point(event));
    this.place.addEventListener("pointerdown", (event) => this.#point(event));
    this.place.addEventListener("keydown", (event) => this.#walk(event));
  }

  show(words, values) {
    [this.#words, this.#values] = [words, values];
    const high = this.map.high ?? Math.max(1, ...values.flat().map(Math.abs));
    this.#range = { low: this.map.low && -high, high };
    this.legend.replaceChildren(legend(this.#range));
    this.redraw();
  }

  mark(word, unit) {
    this.#chosen = [word, unit];
    const value = this.#values[word][unit];
    const sentence = `“${this.#words[word]}”, unit ${unit + 1}: ${number(value)}`;
    this.readout.textContent = sentence;
    const { low, high } = this.#range;
    const states = { "aria-valuemin": low, "aria-valuemax": high, "aria-valuenow": value, "aria-valuetext": sentence };
    for (const [name, state] of Object.entries(states)) this.place.setAttribute(name, state);
    const drawing = this.place.querySelector("svg");
    if (drawing) markCell(drawing, this.#words.length, word, unit);
  }

  #draw(width) {
    if (!this.#words.length) return null;
    const drawing = heatMap(width, this.#values, this.#range);
    markCell(drawing, this.#words.length, ...this.#chosen);
    return drawing;
  }

  #point({ clientX, clientY }) {
    if (!this.#words.length) return;
    const { left, top, width } = this.place.getBoundingClientRect();
    this.choose(...cellAt(clientX - left, clientY - top, width, this.#words.length, this.#values[0].length));
  }

  #walk(event) {
    const [word, unit] = this.#chosen;
    const last = this.#words.length - 1;
    const there = { ArrowLeft: [word - 1, unit], ArrowRight: [word + 1, unit], ArrowUp: [word, unit - 1], ArrowDown: [word, unit + 1], Home: [0, unit], End: [last, unit] }[event.key];
    if (!there || last < 0) return;
    event.preventDefault();
    const within = (value, most) => Math.max(0, Math.min(most, value));
    this.choose(within(there[0], last), within(there[1], this.#values[0].length - 1));
  }
}

/** `h_t−1` with its subscript set lower. */
function equation(words) {
  return words.split(/(_[\p{L}\d−]+)/u).map((part) => (part.startsWith("_") ? html("sub", {}, part.slice(1)) : part));
}
