// Radar hours from a CSV in the format of "How Much Did It Rain? II": a row is a scan, rows with the same Id are an hour.

const SUFFIXES = ["", "_5x5_10th", "_5x5_50th", "_5x5_90th"];
export const MEASUREMENTS = ["Ref", "RefComposite", "RhoHV", "Zdr", "Kdp"].flatMap((name) => SUFFIXES.map((suffix) => name + suffix));
const NEEDED = ["Id", "minutes_past", "radardist_km"];
const MOST_CHARACTERS = 100_000; // of a line
const MISSING = new Set(["", "NA", "NaN", "nan", "null"]);

/** The file is not what it should be; the message says where. */
export class CsvFault extends Error {}

/**
 * The first `most` hours of a file, which is read no further: `{hours: [{id, gauge_mm, radardist_km, scans}], more}`; `more` says
 * that the file goes on. Raises CsvFault.
 */
export async function readHours(file, most) {
  const hours = new Map();
  let header = null;
  let number = 0;
  for await (const line of lines(file)) {
    number += 1;
    if (!line.trim()) continue;
    const cells = line.split(",").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
    if (!header) {
      header = checked(cells);
      continue;
    }
    const row = new Row(header, cells, number);
    if (!hours.has(row.id) && hours.size === most) return { hours: [...hours.values()], more: true };
    if (!hours.has(row.id)) hours.set(row.id, row.hour());
    hours.get(row.id).scans.push(row.scan());
  }
  if (!hours.size) throw new CsvFault("There is no row of measurements in the file.");
  return { hours: [...hours.values()], more: false };
}

async function* lines(file) {
  const reader = file.stream().pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (let read = await next(reader); !read.done; read = await next(reader)) {
      const whole = (rest + read.value).split(/\r?\n/);
      rest = whole.pop();
      yield* whole;
      // A file of something else may have no lines: to gather all of it would take the page minutes.
      if (rest.length > MOST_CHARACTERS) throw new CsvFault(`A line goes on for more than ${MOST_CHARACTERS.toLocaleString("en")} characters.`);
    }
    if (rest) yield rest;
  } finally {
    reader.cancel().catch(() => {}); // what cannot be read cannot be cancelled either
  }
}

async function next(reader) {
  try {
    return await reader.read();
  } catch {
    throw new CsvFault("The browser cannot read it: it is a folder, was changed or moved since, or may not be read.");
  }
}

function checked(header) {
  const lacking = NEEDED.filter((name) => !header.includes(name));
  if (lacking.length) throw new CsvFault(`The first line must name the columns; ${lacking.join(", ")} not found.`);
  const twice = header.find((name, index) => header.indexOf(name) < index);
  if (twice) throw new CsvFault(`The first line names the column ${twice} more than once.`);
  return header;
}

class Row {
  constructor(header, cells, number) {
    if (cells.length !== header.length) {
      throw new CsvFault(`Line ${number} has ${cells.length} cells, the first line ${header.length}.`);
    }
    this.cells = new Map(header.map((name, index) => [name, cells[index]]));
    this.number = number;
    this.id = this.cells.get("Id");
    if (!this.id) throw new CsvFault(`Line ${number} has no Id, so its hour is not known.`);
  }

  hour() {
    return { id: this.id, gauge_mm: this.value("Expected"), radardist_km: this.value("radardist_km"), scans: [] };
  }

  /** Missing measurements are left out. */
  scan() {
    const named = ["minutes_past", ...MEASUREMENTS].map((name) => [name, this.value(name)]);
    return Object.fromEntries(named.filter(([, value]) => value !== null));
  }

  value(name) {
    const cell = this.cells.get(name) ?? "";
    if (MISSING.has(cell)) return null;
    const value = Number(cell);
    if (!Number.isFinite(value)) throw new CsvFault(`Line ${this.number}: ${name} is “${cell.slice(0, 40)}”, where a number or nothing is allowed.`);
    return value;
  }
}
