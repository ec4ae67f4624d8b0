// A tune as a file to keep, made here.
import { abcjs } from "./abc.js";
import { html } from "../dom.js";

const KINDS = {
  abc: { type: "text/vnd.abc", content: ({ abc }) => abc },
  midi: {
    type: "audio/midi",
    content: ({ tune, bpm }) => abcjs.synth.getMidiFile(tune, { midiOutputType: "binary", chordsOff: true, qpm: bpm }),
  },
  svg: { type: "image/svg+xml", content: ({ staves }) => drawing(staves) },
};

/** `subject` is `{abc, tune, bpm, staves}`: text, abcjs's tune, tempo, and the place it is engraved in. */
export function save(kind, subject) {
  const { type, content } = KINDS[kind];
  const href = URL.createObjectURL(new Blob([content(subject)], { type }));
  const name = subject.abc.match(/^T:(.*)$/m)?.[1].trim().replace(/[^\w-]+/g, "-").toLowerCase() || "tune";
  html("a", { href, download: `${name}.${kind === "midi" ? "mid" : kind}` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

/** All lines of staves as one stand-alone drawing, black on nothing. */
function drawing(staves) {
  const copy = staves.querySelector("svg").cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("color", "black");
  return new XMLSerializer().serializeToString(copy);
}
