// The page: its tabs, theme and key; each panel starts when it is first shown.
import { keyForm } from "./key.js";
import { tabs } from "./tabs.js";
import { themeToggle } from "./theme.js";
import { cellsPanel } from "./cells/panel.js";
import { logPanel } from "./log/panel.js";
import { musicPanel } from "./music/panel.js";
import { rainPanel } from "./rain/panel.js";
import { sentimentPanel } from "./sentiment/panel.js";

const panels = {
  sentiment: sentimentPanel,
  rain: rainPanel,
  music: musicPanel,
  cells: cellsPanel,
  log: logPanel,
};

themeToggle(document.querySelector("#theme-toggle"));
keyForm(document.querySelector("#key-form"), document.querySelector("#key-toggle"));
tabs(document.querySelector("[role=tablist]"), (panel) => panels[panel.id](panel));
