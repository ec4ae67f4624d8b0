// The characters that may follow, the likeliest first; pressing one writes it.
import { html } from "../dom.js";

const NAMES = { "": "end of the tune", "\n": "new line", " ": "space" };

export function nextCharacters(list, characters, write) {
  const focused = list.contains(document.activeElement);
  list.replaceChildren(...characters.map(({ character, probability }) => {
    const percent = `${(100 * probability).toFixed(1)} %`;
    const name = NAMES[character] ?? character;
    const bar = html("span", { className: "share", "aria-hidden": "true" });
    bar.style.setProperty("width", `${100 * probability}%`);
    const label = character in NAMES ? html("i", {}, name) : html("code", {}, name);
    const press = { type: "button", disabled: character === "", onclick: () => write(character) };
    return html("li", {}, html("button", press, bar, label, html("span", { className: "percent" }, percent)));
  }));
  // Who walks by keyboard goes on from here, though what was pressed is gone.
  if (focused) list.querySelector("button:enabled")?.focus();
}
