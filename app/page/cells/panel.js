// Inside the cell: the gates and states of three small networks while they read a text.
import { html, partsOf } from "../dom.js";
import { Exchange } from "../exchange.js";
import { latest } from "../latest.js";
import { CellColumn } from "./columns.js";
import { CELLS } from "./gates.js";
import { valuesTable } from "./table.js";

const PAUSE_MS = 180;
const NOTHING_READ = { words: [], truncated: false, cells: {} };

export function cellsPanel(panel) {
  const parts = partsOf(panel);
  const field = panel.querySelector("#cell-text");
  const exchange = new Exchange(panel, () => ask());
  const view = new View(parts);

  const ask = latest(PAUSE_MS, async (signal) => {
    const text = field.value;
    if (!text) exchange.clear();
    const answer = text && (await exchange.ask("Cells", "/v1/cells", { text }, signal));
    if (!signal.aborted) view.show(answer || NOTHING_READ, answer === null);
  });

  field.addEventListener("input", () => ask());
  panel.querySelector(".chips").addEventListener("click", ({ target }) => {
    if (!target.dataset.text) return;
    field.value = target.dataset.text;
    ask();
  });
  ask();
}

/** One answer on view, and the word and unit that are chosen in all of its maps. */
class View {
  #answer = null;
  #chosen = [0, 0];

  constructor(parts) {
    this.parts = parts;
    const choose = (word, unit) => this.#choose(word, unit ?? this.#chosen[1]);
    this.columns = Object.keys(CELLS).map((cell) => new CellColumn(cell, choose));
    parts.columns.append(...this.columns.map(({ element }) => element));
    parts.read.addEventListener("click", ({ target }) => target.dataset.index && choose(Number(target.dataset.index)));
    parts.numbers.addEventListener("toggle", () => this.#fillTable());
  }

  show(answer, refused) {
    const { words, truncated, cells } = answer;
    this.#answer = answer;
    this.parts.empty.hidden = refused || words.length > 0;
    for (const part of [this.parts.columns, this.parts.read, this.parts.numbers]) part.hidden = !words.length;
    const unknown = words.some(({ known }) => !known) ? " Words with a dotted line are not among those they know: all of these are one word to them." : "";
    const more = truncated ? `The first ${words.length} words and symbols are read; the text goes on.` : `${words.length} words and symbols are read.`;
    this.parts.extent.textContent = words.length ? more + unknown : "";
    if (!words.length) return;
    const texts = words.map(({ text }) => text);
    for (const column of this.columns) column.show(texts, cells[column.cell]);
    this.parts.read.replaceChildren(...words.flatMap(({ text, known }, index) => [wordButton(text, known, index), " "]));
    this.#choose(words.length - 1, Math.min(this.#chosen[1], cells.rnn.state[0].length - 1));
  }

  #choose(word, unit) {
    this.#chosen = [word, unit];
    for (const column of this.columns) column.mark(word, unit);
    [...this.parts.read.children].forEach((mark, index) => mark.classList.toggle("chosen", index === word));
    this.parts["numbers-title"].textContent = `All values after “${this.#answer.words[word].text}” as a table`;
    this.#fillTable();
  }

  #fillTable() {
    if (this.parts.numbers.open && this.#answer) this.parts.values.replaceChildren(valuesTable(this.#answer.cells, this.#chosen[0]));
  }
}

function wordButton(text, known, index) {
  const mark = html("span", { className: known ? "" : "unknown" }, text);
  mark.dataset.index = index;
  return mark;
}
