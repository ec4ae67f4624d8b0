// Tabs as the ARIA Authoring Practices describe them: one tab stop, arrow keys move, the address names the panel.

/** Calls `firstShown(panel)` once for each panel, when it is first shown. */
export function tabs(list, firstShown) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));
  const started = new Set();

  function select(tab) {
    for (const other of all) {
      other.setAttribute("aria-selected", other === tab);
      other.tabIndex = other === tab ? 0 : -1;
      panelOf(other).hidden = other !== tab;
    }
    tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    const panel = panelOf(tab);
    if (started.has(panel)) return;
    started.add(panel);
    firstShown(panel);
  }

  function choose(tab) {
    history.replaceState(null, "", `#${panelOf(tab).id}`);
    select(tab);
    tab.focus();
  }

  list.addEventListener("click", ({ target }) => target.role === "tab" && choose(target));
  list.addEventListener("keydown", (event) => {
    const here = all.indexOf(document.activeElement);
    const there = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: -1 }[event.key];
    if (there === undefined || event.altKey || event.ctrlKey || event.metaKey) return; // those are the browser's
    event.preventDefault();
    choose(all.at(there % all.length));
  });
  const named = () => all.find((tab) => panelOf(tab).id === location.hash.slice(1));
  addEventListener("hashchange", () => {
    const tab = location.hash ? named() : all[0]; // another name is that of a place on the page
    if (tab) select(tab);
  });
  select(named() ?? all[0]);
}
