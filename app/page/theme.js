// Light or dark: what the system prefers, until the reader chooses otherwise.

import { keeper } from "./keeper.js";

const kept = keeper("localStorage", "gatehouse-theme");

export function themeToggle(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => kept.get();
  const current = () => chosen() ?? (system.matches ? "dark" : "light");
  const show = () => {
    if (chosen()) document.documentElement.dataset.theme = chosen();
    button.textContent = current() === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${button.textContent.toLowerCase()} colours`);
  };
  button.addEventListener("click", () => {
    kept.set(current() === "dark" ? "light" : "dark");
    show();
  });
  system.addEventListener("change", show);
  show();
}
