// Rain: an example hour, or the hours of a file, with what the network and the physics make of them.
import { responsive } from "../chart.js";
import { html, partsOf } from "../dom.js";
import { Exchange } from "../exchange.js";
import { tell } from "../feedback.js";
import { latest } from "../latest.js";
import { asSent, batches } from "./batches.js";
import { CsvFault, readHours } from "./csv.js";
import { estimates, mm } from "./estimates.js";
import examples from "./examples.json";
import { radarHour } from "./radar.js";
import { hoursTable, scansTable } from "./table.js";

const MOST_HOURS = 1024;

export function rainPanel(panel) {
  const parts = partsOf(panel);
  // A file is asked in several requests, each of which counts its hours anew.
  const named = (words) => words.replace(/^\/hours\/(\d+)/, (place, index) => `Hour ${asking[index].id}: ${place}`);
  const exchange = new Exchange(panel, () => estimate(), named);
  const view = new HourView(parts, exchange);
  let hours = [];
  let asking = []; // those of them that the last request was about
  let leftOut = ""; // what is to be said of hours that are not read
  let reading = null; // the file that was chosen last, until its hours are shown or others are

  const estimate = latest(0, async (signal) => {
    const [asked, predictions, note] = [hours, [], leftOut];
    let shown = 0;
    const table = hoursTable(panel.querySelector("table.hours"), asked, (index) => choose(index));
    const choose = (index) => {
      shown = index;
      view.show(asked[index], predictions[index]);
      table.mark(index);
    };
    parts.many.hidden = asked.length < 2;
    choose(0);
    for (const batch of batches(asked)) {
      asking = batch;
      const answer = await exchange.ask("Estimate", "/v1/rainfall", { hours: batch.map(asSent) }, signal);
      if (!answer) return;
      const first = predictions.length;
      answer.predictions.forEach((prediction, item) => {
        table.fill(predictions.push({ ...prediction, item, request_id: answer.request_id }) - 1, prediction);
      });
      if (shown >= first && predictions[shown]) choose(shown);
      if (asked.length > 1) parts.progress.textContent = `${predictions.length} of ${asked.length} hours estimated${note}`;
    }
  });

  function take(chosen, note = "", more = "") {
    exchange.clear();
    [hours, reading, leftOut] = [chosen, null, more];
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", examples[index] === hours[0]));
    parts.progress.textContent = note + more;
    estimate();
  }

  async function read(file) {
    reading = file;
    try {
      const { hours: found, more } = await readHours(file, MOST_HOURS);
      if (reading === file) take(found, `${found.length} hours read from ${file.name}`, more ? "; the file has more, which are left out" : "");
    } catch (error) {
      if (!(error instanceof CsvFault)) throw error;
      if (reading === file) exchange.fault(`${file.name} cannot be read`, error.message);
    }
  }

  const buttons = examples.map((hour) => html("button", { type: "button", onclick: () => take([hour]) }, hour.id));
  parts.examples.append(...buttons);
  acceptFiles(panel, panel.querySelector("#csv"), read);
  take([examples[0]]);
}

/** One hour in detail. */
class HourView {
  #hour = null;
  #prediction = null;

  constructor(parts, exchange) {
    this.parts = parts;
    parts.feedback.addEventListener("submit", (event) => {
      event.preventDefault();
      const about = this.#prediction;
      const { request_id, item } = about;
      tell(exchange, request_id, { item, rain_mm: Number(parts.gauge.value) }, parts.told, () => this.#prediction === about);
    });
    this.redraw = [
      responsive(parts.radar, (width) => this.#hour && radarHour(width, this.#hour)),
      responsive(parts.estimates, (width) => this.#prediction && estimates(width, this.#prediction, this.#hour.gauge_mm)),
    ];
  }

  show(hour, prediction) {
    [this.#hour, this.#prediction] = [hour, prediction];
    this.parts["hour-title"].textContent = `Radar over the gauge: ${hour.id}`;
    this.parts.mm.textContent = prediction ? mm(prediction.rain_mm) : "…";
    const [low, high] = prediction?.interval_90_mm ?? [];
    this.parts.interval.textContent = prediction ? `Nine times in ten between ${low.toFixed(2)} and ${mm(high)}` : "";
    this.parts.feedback.hidden = !prediction;
    this.parts.gauge.value = hour.gauge_mm ?? "";
    this.parts.told.textContent = "";
    this.parts.scans.replaceChildren(scansTable(hour));
    this.redraw.forEach((draw) => draw());
  }
}

/** A file chosen in `input`, or dropped anywhere on the panel. */
function acceptFiles(panel, input, read) {
  const hover = (on) => panel.querySelector(".drop").classList.toggle("hover", on);
  // Forgets the file before, for a browser tells nothing of one chosen again, as after its rows were mended.
  input.addEventListener("click", () => (input.value = ""));
  input.addEventListener("change", () => input.files[0] && read(input.files[0]));
  panel.addEventListener("dragover", (event) => {
    event.preventDefault();
    hover(true);
  });
  panel.addEventListener("dragleave", () => hover(false));
  panel.addEventListener("drop", (event) => {
    event.preventDefault();
    hover(false);
    if (event.dataTransfer.files[0]) read(event.dataTransfer.files[0]);
  });
}
