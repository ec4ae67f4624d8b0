// Bundles the page into dist/: the three libraries' code and fonts, our modules, the document, and the licences.
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const LIBRARIES = { abcjs: "LICENSE.md", "@fontsource-variable/inter": "LICENSE", "@fontsource-variable/source-serif-4": "LICENSE" };

await rm("dist", { recursive: true, force: true });
await build({
  entryPoints: ["main.js", "main.css"],
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  splitting: true, // abcjs is loaded when the music panel is first opened
  target: "es2022",
  loader: { ".woff2": "file" },
  legalComments: "none", // they stand in licences.txt
});
const licences = Object.entries(LIBRARIES).map(
  async ([name, file]) => `${name}\n\n${await readFile(`node_modules/${name}/${file}`, "utf8")}`,
);
await writeFile("dist/licences.txt", (await Promise.all(licences)).join("\n\n"));
await copyFile("icon.svg", "dist/icon.svg");
await copyFile("index.html", "dist/index.html"); // last: whoever finds it finds all
