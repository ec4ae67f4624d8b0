// Parses every .abc file of a folder with abcjs: node abcjs_check.mjs INSTALLATION FOLDER
// Prints {"file": ["warning", ...]} as JSON. INSTALLATION holds node_modules/abcjs.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [installation, folder] = process.argv.slice(2);
const abcjs = createRequire(path.resolve(installation) + "/")("abcjs");

function warnings(abc) {
  try {
    const tunes = abcjs.parseOnly(abc);
    const found = tunes.flatMap((tune) => tune.warnings ?? []).map((text) => text.replace(/<[^>]*>/g, ""));
    return tunes.length === 1 ? found : [...found, `${tunes.length} tunes`];
  } catch (error) {
    return [String(error)];
  }
}

const files = fs.readdirSync(folder).filter((name) => name.endsWith(".abc"));
const result = Object.fromEntries(files.map((name) => [name, warnings(fs.readFileSync(path.join(folder, name), "utf8"))]));
console.log(JSON.stringify(result));
