// The API key, where the service asks for one: kept for this tab only, shown to nobody.

import { keeper } from "./keeper.js";

const kept = keeper("sessionStorage", "gatehouse-key");

export const key = () => kept.get() ?? "";

/** The form opens on demand, and by itself when the service has refused a request for want of a key. */
export function keyForm(form, toggle) {
  const field = form.querySelector("input");
  const open = (shown) => {
    form.hidden = !shown;
    toggle.setAttribute("aria-expanded", shown);
  };
  toggle.addEventListener("click", () => {
    open(form.hidden);
    field.value = key();
    if (!form.hidden) field.focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    kept.set(field.value.trim());
    open(false);
    toggle.focus();
    document.dispatchEvent(new Event("key-changed"));
  });
  document.addEventListener("key-needed", () => open(true));
}
