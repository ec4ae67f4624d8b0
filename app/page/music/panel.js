// Music: what may come next as you type, the tune written on live, engraved, played and kept.
import { html, partsOf } from "../dom.js";
import { Exchange } from "../exchange.js";
import { latest } from "../latest.js";
import { abcjs, load } from "./abc.js";
import { nextCharacters } from "./next.js";
import { Player } from "./player.js";
import { save } from "./save.js";
import { engrave, engraveSoon } from "./score.js";
import { TUNES } from "./tunes.js";

const PAUSE_MS = 200;
const MOST_SEED = 2 ** 32;

export function musicPanel(panel) {
  const desk = new Desk(panel);
  // Coming back to the page, a browser fills in what was typed before.
  desk.set(desk.field.value || TUNES.Jig);
  desk.loadStaves();
}

/** The tune on the desk: its text, staves and what is being done to it. */
class Desk {
  #tune = null;
  #before = []; // texts to go back to
  #writing = null; // aborts the tune being written
  #loading = false;

  constructor(panel) {
    this.parts = partsOf(panel);
    this.field = panel.querySelector("#tune");
    this.saves = panel.querySelectorAll("[data-save]");
    this.needStaves = [this.parts.play, ...panel.querySelectorAll("[data-save=midi], [data-save=svg]")];
    this.exchange = new Exchange(panel, () => this.ask());
    this.player = new Player(() => this.#showPlaying());
    this.ask = latest(PAUSE_MS, (signal) => this.#askNext(signal));
    this.engrave = engraveSoon(this.parts.staves, (tune) => this.#showTune(tune));
    this.#listen(panel);
    // Coming back to the page, a browser fills in the slider, before this or after, but not what it says.
    this.#showTempo();
    addEventListener("pageshow", () => this.#showTempo());
  }

  /** Another text: engraved at once, what comes next asked soon. */
  set(text) {
    this.player.stop();
    this.field.value = text;
    this.engrave(text);
    this.ask();
  }

  /** Fetches what draws and plays the tune; nothing else waits for it. */
  async loadStaves() {
    if (abcjs || this.#loading) return;
    this.#loading = true;
    const here = await load().then(() => true, () => false);
    this.#loading = false;
    if (here) this.#openStaves();
    else if (!this.exchange.faulty) this.#showUnloaded(); // what stands there is not read out at every character
  }

  /** From now on the tune can be drawn, played and kept. */
  #openStaves() {
    if (this.exchange.faulty) this.exchange.clear();
    this.engrave(this.field.value);
  }

  /** What was engraved, or null: then there is nothing to play, nor to keep but the text. */
  #showTune(tune) {
    this.#tune = tune;
    this.needStaves.forEach((button) => (button.disabled = !tune));
  }

  #showUnloaded() {
    const detail = "A tune can be written, but neither drawn nor played. If the service was updated since this page was opened, reload the page.";
    this.exchange.fault("The staves could not be loaded", detail, () => {
      this.exchange.clear();
      this.loadStaves();
    });
  }

  #listen(panel) {
    const { parts, field } = this;
    field.addEventListener("input", () => this.set(field.value));
    parts.tunes.append(...Object.entries(TUNES).map(([name, abc]) => html("button", { type: "button", onclick: () => this.#start(abc) }, name)));
    parts.continue.addEventListener("click", () => this.#continue());
    parts.halt.addEventListener("click", () => this.#writing?.abort());
    parts.undo.addEventListener("click", () => this.#undo());
    parts.play.addEventListener("click", () => this.#play());
    parts.tempo.addEventListener("input", () => this.#showTempo());
    parts.tempo.addEventListener("change", () => this.player.playing && this.player.play(this.#tune, this.#bpm));
    this.saves.forEach((button) => button.addEventListener("click", () => this.#save(button.dataset.save)));
    let width = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (!contentRect.width) width = 0; // out of view nothing is engraved: coming back, it is
      if (contentRect.width === width || this.player.playing) return;
      width = contentRect.width;
      this.engrave(field.value);
    }).observe(parts.staves);
  }

  #showTempo() {
    this.parts.bpm.textContent = this.parts.tempo.value;
  }

  get #bpm() {
    return Number(this.parts.tempo.value);
  }

  async #askNext(signal) {
    const prompt = this.field.value;
    if (!prompt) this.exchange.clear();
    const answer = prompt && (await this.exchange.ask("Next character", "/v1/music/next", { prompt, top_k: 10 }, signal));
    if (signal.aborted) return;
    if (answer) this.loadStaves(); // the service is there again, if it was gone
    // Without an answer there is none: what follows another text is not left standing beside this one.
    nextCharacters(this.parts.next, answer ? answer.characters : [], (character) => this.set(this.field.value + character));
    this.parts.cost.textContent = answer ? `The text so far costs the network ${answer.bits_per_character.toFixed(2)} bits a character.` : "";
  }

  #start(abc) {
    const { value } = this.field;
    if (value && value !== abc) this.#before.push(value);
    this.parts.undo.disabled = !this.#before.length;
    this.set(abc);
    this.field.focus();
  }

  async #continue() {
    const { parts, field } = this;
    const seed = parts.seed.value === "" ? Math.floor(Math.random() * MOST_SEED) : Number(parts.seed.value);
    const body = { prompt: field.value, max_characters: Number(parts.length.value), temperature: Number(parts.temperature.value), seed, stream: true };
    this.player.stop();
    this.#before.push(field.value);
    this.#writing = new AbortController();
    const { signal } = this.#writing;
    this.#showWriting(true, "Writing …");
    const done = await this.exchange.listen("Continue", "/v1/music/generate", body, signal, (text) => this.#write(text), () => this.#continue());
    const added = field.value.length - this.#before.at(-1).length;
    if (!added) this.#before.pop();
    const how = done?.finished ? "the tune is finished" : done ? "that is as long as was asked for" : "stopped";
    this.#showWriting(false, `${added} characters written with seed ${seed}; ${how}.`);
    if (done || signal.aborted) this.ask(); // else it was refused, and the problem stays on view
  }

  #write(text) {
    this.field.value += text;
    this.field.scrollTop = this.field.scrollHeight;
    this.engrave(this.field.value);
  }

  #showWriting(on, words) {
    const { parts, field } = this;
    const focused = [parts.continue, parts.halt].includes(document.activeElement);
    // Nothing else may write meanwhile.
    [parts.tunes.inert, parts.next.inert] = [on, on];
    [field.readOnly, parts.continue.hidden, parts.halt.hidden] = [on, on, !on];
    parts.undo.disabled = on || !this.#before.length;
    parts.writing.textContent = words;
    if (focused) (on ? parts.halt : parts.continue).focus();
  }

  #undo() {
    this.set(this.#before.pop());
    this.parts.undo.disabled = !this.#before.length;
  }

  async #play() {
    if (this.player.playing) return this.player.stop();
    this.#showTune(engrave(this.parts.staves, this.field.value));
    if (!this.#tune) return;
    await this.player.play(this.#tune, this.#bpm);
    this.#showPlaying();
  }

  #showPlaying() {
    this.parts.play.textContent = this.player.playing ? "Stop" : "Play";
  }

  #save(kind) {
    if (kind !== "abc" && !this.player.playing) this.#showTune(engrave(this.parts.staves, this.field.value));
    if (kind === "abc" || this.#tune) save(kind, { abc: this.field.value, tune: this.#tune, bpm: this.#bpm, staves: this.parts.staves });
  }
}
