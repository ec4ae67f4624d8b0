// A tune as staves, engraved by abcjs.
import { abcjs } from "./abc.js";

const MEASURE = 190; // width of a measure that is easy to read, px

/** Engraves `abc` into `place` and returns abcjs's tune, or null where there is nothing to draw. */
export function engrave(place, abc) {
  if (!abcjs || !place.clientWidth) return null; // not here yet, or not on view
  const width = place.clientWidth;
  const [tune] = abcjs.renderAbc(place, abc, {
    add_classes: true,
    ariaLabel: `Staves of ${abc.match(/^T:(.*)$/m)?.[1].trim() || "the tune"}`,
    paddingtop: 0,
    paddingbottom: 0,
    paddingleft: 0,
    paddingright: 0,
    staffwidth: width,
    wrap: { minSpacing: 1.5, maxSpacing: 2.4, preferredMeasuresPerLine: Math.max(2, Math.round(width / MEASURE)) },
    format: { titlefont: "Source-Serif 20" },
  });
  return tune?.lines.length ? tune : null;
}

/** Engraves at most once a frame, and half of the time at most: while a tune is being written, only its newest state counts. */
export function engraveSoon(place, done) {
  let waiting = null;
  let took_ms = 0; // of a long tune half a second and more, in which no key would be heard
  const draw = () => {
    const [newest, started_ms] = [waiting, performance.now()];
    waiting = null;
    done(engrave(place, newest));
    took_ms = performance.now() - started_ms;
  };
  return (abc) => {
    if (waiting === null) setTimeout(() => requestAnimationFrame(draw), took_ms);
    waiting = abc;
  };
}
