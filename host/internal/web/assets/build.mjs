// Copies what the pages use out of node_modules into vendor/, and axe-core into the test kit.
// Plain copying: what npm ci verified by its lock file is what is served.
// Run by `make assets`; add a library's file to `files` or an icon's name to `icons`, nothing else.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const vendor = join(here, "vendor");
const testdata = join(here, "../../hosttest/testdata");

const files = [
  "@tabler/core/dist/css/tabler.min.css",
  "@tabler/core/dist/css/tabler.rtl.min.css",
  "@tabler/core/dist/css/tabler-vendors.min.css",
  "@tabler/core/dist/css/tabler-vendors.rtl.min.css",
  "@tabler/core/dist/js/tabler.min.js",
  "tom-select/dist/js/tom-select.complete.min.js",
];

// Names of Tabler's outline icons, https://tabler.io/icons. Used as <use href="…/icons.svg#name">.
const icons = `
  activity address-book adjustments alert-circle alert-triangle arrow-back-up arrow-left ban bell briefcase building
  calendar chart-bar check chevron-down chevron-left chevron-right circle-check clock copy credit-card device-desktop
  device-floppy dots-vertical download edit external-link eye eye-off file file-text filter folder heart help-circle
  history home id-badge info-circle key language layout-dashboard link list list-details lock login logout mail map-pin
  mask mask-off masks-theater menu-2 message mood-smile moon package phone photo player-play player-stop plug plus
  puzzle receipt refresh search settings shield shield-lock spy star sun tag target ticket tools trash truck upload
  user user-check user-circle user-cog user-off user-share users world x
`.trim().split(/\s+/);

// Packages whose licence texts travel with the copies.
const licensed = ["@tabler/core", "@tabler/icons", "@popperjs/core", "tom-select", "@orchidjs/sifter", "@orchidjs/unicode-variants"];

mkdirSync(vendor, { recursive: true });
for (const name of readdirSync(vendor)) {
  if (name !== "README.md") rmSync(join(vendor, name), { recursive: true });
}
for (const file of files) {
  writeFileSync(join(vendor, file.split("/").pop()), servable(file));
}
writeFileSync(join(vendor, "icons.svg"), sprite(icons));
writeFileSync(join(vendor, "LICENSES.txt"), licensed.map(license).join("\n\n"));

mkdirSync(testdata, { recursive: true });
copyFileSync(join(modules, "axe-core/axe.min.js"), join(testdata, "axe.min.js"));

// Last: its time says that everything before it is there.
writeFileSync(join(vendor, ".stamp"), "");

// servable returns the file's text without the pointer to its source map, which isn't served, and
// refuses one that would make a browser ask another host: the pages' security policy allows only ours.
function servable(file) {
  const text = readFileSync(join(modules, file), "utf8").replace(/(\/\*|\/\/)# sourceMappingURL=[^\n]*/g, "");
  const outside = file.endsWith(".css") && text.match(/@import|@font-face|url\((?!\s*["']?data:)[^)]*\)/);
  if (outside) throw new Error(`${file} loads ${outside[0]}: only data: addresses are allowed`);
  return text;
}

function sprite(names) {
  const symbols = names.map((name) => {
    const svg = readFileSync(join(modules, "@tabler/icons/icons/outline", `${name}.svg`), "utf8");
    const shapes = svg
      .replace(/^[\s\S]*?<svg[^>]*>|<\/svg>\s*$/g, "")
      .replace(/\s*<path stroke="none" d="M0 0h24v24H0z" fill="none" \/>/, "")
      .replace(/\n\s*/g, "");
    return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${shapes}</symbol>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`;
}

function license(name) {
  const folder = join(modules, name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const text = readdirSync(folder).find((file) => /^licen[sc]e(\.md|\.txt)?$/i.test(file));
  const heading = `${name} ${version} (${license})`;
  return `${heading}\n${"=".repeat(heading.length)}\n\n${text ? readFileSync(join(folder, text), "utf8").trim() : "See the notice at the top of its files."}\n`;
}
