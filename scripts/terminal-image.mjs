/**
 * Makes docs/images/terminal.png: the built command line's real output, set by a headless Chromium (CHROMIUM names it;
 * default `chromium`). Run `npm run build` first, then `node scripts/terminal-image.mjs`.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const image = join(root, "docs", "images", "terminal.png");
const args = ["check", "--table", "features-mismatch.cnn.yaml"];
const LINE = 20;

/** A colour: the escape character and a number. */
const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[(\\d+)m`, "g");

const { stdout } = spawnSync(process.execPath, [join(root, "dist", "cli.js"), ...args], {
  cwd: join(root, "examples", "broken"),
  env: { ...process.env, FORCE_COLOR: "1" },
  encoding: "utf8",
});
const lines = wrapped(`$ convlint ${args.join(" ")}\n${stdout}`.trimEnd().split("\n"), 100);

/** Long lines broken as a terminal of that width would. */
function wrapped(texts, width) {
  return texts.flatMap((text) => {
    const out = [""];
    let column = 0;
    // Odd parts are the numbers of colours, the others what is printed.
    for (const [index, part] of text.split(COLOUR).entries()) {
      if (index % 2 === 1) out.push(`${out.pop()}${String.fromCharCode(27)}[${part}m`);
      else {
        for (const character of part) {
          if (column === width) {
            out.push("");
            column = 0;
          }
          column++;
          out.push(out.pop() + character);
        }
      }
    }
    return out;
  });
}

const STYLES = { 1: "b", 31: "red", 32: "green", 33: "yellow", 34: "blue", 36: "cyan", 90: "gray" };
const ENDS = ["0", "22", "39"];

function html(text) {
  return text
    .replace(/[&<]/g, (character) => (character === "&" ? "&amp;" : "&lt;"))
    .replace(COLOUR, (_, code) => (ENDS.includes(code) ? "</span>" : `<span class="${STYLES[code]}">`));
}

const page = `<!doctype html><meta charset="utf-8"><style>
  body { margin: 0; padding: 16px 20px; background: #1e1e1e; color: #d4d4d4; }
  pre { margin: 0; font: 14px/${LINE}px "DejaVu Sans Mono", monospace; }
  .b { font-weight: bold } .red { color: #f14c4c } .green { color: #23d18b } .yellow { color: #f5f543 }
  .blue { color: #3b8eea } .cyan { color: #29b8db } .gray { color: #808080 }
</style><pre>${html(lines.join("\n"))}</pre>`;

const folder = mkdtempSync(join(tmpdir(), "convlint-image-"));
try {
  writeFileSync(join(folder, "page.html"), page);
  execFileSync(
    process.env.CHROMIUM ?? "chromium",
    [
      "--headless",
      "--no-sandbox",
      "--hide-scrollbars",
      `--user-data-dir=${join(folder, "profile")}`,
      `--window-size=900,${lines.length * LINE + 32}`,
      `--screenshot=${image}`,
      join(folder, "page.html"),
    ],
    { stdio: "ignore" },
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`docs/images/terminal.png: ${lines.length} lines`);
