// The very request a panel has sent, as code to copy.
import { html } from "./dom.js";
import { LANGUAGES } from "./snippets.js";

const MOST_SHOWN = 3000;
let views = 0;

export class RequestView {
  #requests = new Map();
  #name = "";
  #language = "curl";
  #code = html("code");
  #names = html("div", { className: "chips", role: "group", ariaLabel: "Which request" });
  #size = html("span", { className: "note" });
  #copied = html("span", { className: "note", role: "status" });

  constructor() {
    const id = `request-${++views}`;
    const copy = html("button", { type: "button", onclick: () => this.#copy() }, "Copy");
    const languages = Object.keys(LANGUAGES).map((language) => this.#choice(id, language));
    this.element = html(
      "section",
      { className: "request", "aria-labelledby": id },
      html("div", { className: "bar" }, html("h3", { id }, "This request"), html("fieldset", { className: "choices" },
        html("legend", { className: "unseen" }, "Language"), ...languages), this.#names, html("span", { className: "gap" }), this.#size, this.#copied, copy),
      html("pre", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Code of the request" }, this.#code),
    );
  }

  /** Remember a request; `name` tells apart those that a panel sends. The first is shown, or one that comes `inFront`. */
  sent(name, path, body, inFront = false) {
    this.#requests.set(name, { path, body });
    if (inFront || !this.#name) this.#name = name;
    this.show();
  }

  show() {
    const several = this.#requests.size > 1;
    this.#names.replaceChildren(...(several ? [...this.#requests.keys()].map((name) => this.#pick(name)) : []));
    const text = this.#text();
    const cut = text.length > MOST_SHOWN;
    this.#code.textContent = cut ? `${text.slice(0, MOST_SHOWN)} …` : text;
    this.#size.textContent = cut ? `${text.length.toLocaleString("en")} characters; Copy takes them all` : "";
  }

  #text() {
    const request = this.#requests.get(this.#name);
    return request ? LANGUAGES[this.#language](request.path, request.body) : "";
  }

  #choice(group, language) {
    const radio = html("input", { type: "radio", name: `${group}-language`, checked: language === this.#language });
    radio.addEventListener("change", () => {
      this.#language = language;
      this.show();
    });
    return html("label", {}, radio, language);
  }

  #pick(name) {
    const chosen = () => {
      this.#name = name;
      this.show();
      [...this.#names.children].find((button) => button.textContent === name).focus();
    };
    return html("button", { type: "button", "aria-pressed": name === this.#name, onclick: chosen }, name);
  }

  async #copy() {
    const done = await navigator.clipboard?.writeText(this.#text()).then(() => true, () => false);
    this.#copied.textContent = done ? "Copied" : "The browser does not allow it: select the code and copy it by hand";
    setTimeout(() => (this.#copied.textContent = ""), 4000);
  }
}
