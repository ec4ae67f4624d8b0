// How a text grows as the network reads it.

const MOST_PREFIXES = 64;
const LEAST_PREFIXES = 16;
const MOST_CHARACTERS = 60_000; // in all prefixes together, so that a long text stays quick

/** Ends [characters] of prefixes that stop at words, evenly spread where there are many; the last is that of the last word. */
export function prefixEnds(text) {
  const words = [...text.matchAll(/\S+/g)].map((word) => word.index + word[0].length);
  const affordable = Math.floor((2 * MOST_CHARACTERS) / Math.max(text.length, 1));
  const most = Math.min(words.length, Math.max(LEAST_PREFIXES, Math.min(MOST_PREFIXES, affordable)));
  return Array.from({ length: most }, (_, index) => words[Math.ceil(((index + 1) * words.length) / most) - 1]);
}

/** The last word of text up to `end`. */
export const lastWord = (text, end) => text.slice(0, end).match(/\S+$/)?.[0] ?? "";
