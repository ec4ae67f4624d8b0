// abcjs, which is large: loaded when the music panel is first shown, and waited for by nothing that needs no staves.

/** The library, or null until it is here. */
export let abcjs = null;

/** Raises where it cannot be fetched; the next call tries again. */
export async function load() {
  abcjs = (await import("abcjs")).default;
}
