// A tune as a file to keep, made here.
import { abcjs } from "./abc.js";
import { html } from "../dom.js";

const KINDS = {
  abc: { type: "text/vnd.abc", content: ({ abc }) => abc },
  midi: {
    type: "audio/midi",
    content: ({ tune, bpm }) => inTempo(abcjs.synth.getMidiFile(tune, { midiOutputType: "binary", chordsOff: true, qpm: bpm }), 60e6 / (bpm * 4 * tune.getBeatLength())),
  },
  svg: { type: "image/svg+xml", content: ({ staves }) => drawing(staves) },
};

/** `subject` is `{abc, tune, bpm, staves}`: text, abcjs's tune, tempo, and the place it is engraved in. */
export function save(kind, subject) {
  const { type, content } = KINDS[kind];
  const href = URL.createObjectURL(new Blob([content(subject)], { type }));
  html("a", { href, download: `${fileName(subject.abc)}.${kind === "midi" ? "mid" : kind}` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

/** The title in letters, marks and digits of any script. */
function fileName(abc) {
  const title = abc.match(/^T:(.*)$/m)?.[1] ?? "";
  return title.replace(/[^\p{L}\p{M}\p{N}]+/gu, "-").replace(/^-|-$/g, "").toLowerCase() || "tune";
}

/** A MIDI file with its tempo set, as abcjs does not where a beat is no quarter. */
function inTempo(midi, quarter_us) {
  const tempo = midi.findIndex((byte, index) => byte === 0xff && midi[index + 1] === 0x51 && midi[index + 2] === 3);
  const bytes = [16, 8, 0].map((shift) => (Math.round(quarter_us) >> shift) & 0xff);
  if (tempo >= 0) midi.set(bytes, tempo + 3);
  return midi;
}

/** All lines of staves as one stand-alone drawing, black on nothing. */
function drawing(staves) {
  const copy = staves.querySelector("svg").cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("color", "black");
  return new XMLSerializer().serializeToString(copy);
}
