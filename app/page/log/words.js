// Figures of the log in plain words.

const VERDICTS = {
  stable: "as in the validation data",
  shifted: "has moved away from the validation data somewhat; worth a look",
  drifted: "is no longer what it was in the validation data: what the card says of this model may not hold for it",
};
const FEATURES = {
  tokens_read: "Length of texts, in words",
  unknown_share: "Share of words the model does not know",
  probability: "Probability of positive",
  scans: "Scans in an hour",
  missing_share: "Share of measurements that are missing",
  rain_mm: "Estimated rain, mm",
  prompt_characters: "Length of prompts, in characters",
  bits_per_character: "Bits a character that prompts cost the model",
};
const NEEDED = 300;

export const featureName = (feature) => FEATURES[feature] ?? feature.replaceAll("_", " ");

/** What a population stability index means, with the number. */
export function driftInWords({ verdict, psi, items }) {
  if (verdict === "no_reference") return "cannot be compared: the bundle says nothing of its validation data";
  if (verdict === "too_few") return `too few to tell: ${items} of the ${NEEDED} items that are needed`;
  return `${VERDICTS[verdict] ?? verdict} (PSI ${psi.toFixed(3)}, from ${items} items)`;
}

export function feedbackInWords({ items, accuracy, mean_absolute_error_mm }) {
  if (!items) return "None in this window.";
  const came = `${items} ${items === 1 ? "item" : "items"} came back with the truth`;
  if (accuracy !== null && accuracy !== undefined) return `${came}; ${(100 * accuracy).toFixed(1)} % of the labels were right.`;
  return `${came}; the estimates were ${mean_absolute_error_mm.toFixed(2)} mm off on average.`;
}

export function duration(value_ms) {
  if (value_ms === null || value_ms === undefined) return "–";
  return value_ms < 1000 ? `${value_ms.toFixed(value_ms < 10 ? 1 : 0)} ms` : `${(value_ms / 1000).toFixed(value_ms < 10_000 ? 1 : 0)} s`;
}

/** Short enough for the edge of a plot. */
export const count = (value) => value.toLocaleString("en", { notation: "compact" });

/** When a slice begins: the hour within a day or two, the day within more. */
export function moment(time, slice_s) {
  const day = { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat("en-GB", slice_s > 7200 ? day : { hour: "2-digit", minute: "2-digit" }).format(new Date(time));
}
