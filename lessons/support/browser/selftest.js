// Mistakes made on purpose, one for each kind of check: what does not find its own mistake would find nobody's.
import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { links, look, zoomed } from "./look.js";
import { Report } from "./report.js";
import { serve } from "./server.js";
import * as use from "./use.js";

const SAMPLE = fileURLToPath(new URL("sample", import.meta.url));

// What must be found in the sample page, and where.
const IN_THE_SAMPLE = [
  "index.html, light, 375 px: console error: a word to the console",
  "index.html, light, 375 px: error of a script: an error of a script",
  "index.html, light, 375 px: asks another host: http://example.invalid/",
  "index.html, light, 375 px: request failed: http://example.invalid/",
  /^index\.html, light, 375 px: request failed: \S*there-is-no-such\.png \(404\)/,
  /^index\.html, light, 375 px: scrolls sideways: \d+ px wider than the window: .*p\.wide/,
  /^index\.html, navy, 375 px: scrolls sideways/,
  /^index\.html, light, 375 px: image-alt at img/,
  /^index\.html, light, 375 px: color-contrast at \.pale/,
  /^index\.html, navy, 375 px: color-contrast at \.by-night/,
  /^index\.html, light, 375 px: label at input/,
  /^index\.html, light, 375 px: moves while it loads, by 0\.\d+, not less than 0\.05: .*pale/,
  /^index\.html, light, 375 px: weighs \d+ bytes compressed/,
  "index.html, ayu, 375 px: this theme cannot be chosen",
  /^index\.html, light, 1280 px at 200 %: scrolls sideways/,
  /^index\.html, light, 320 px: scrolls sideways/,
  /^index\.html: a link leads nowhere: \S*nowhere\.html/,
  "index.html: a link leads to no place in index.html: #nowhere",
];

const found = (report, wanted) => report.faults.some((fault) => (wanted instanceof RegExp ? wanted.test(fault) : fault.includes(wanted)));

async function sample(browser, report) {
  const folder = mkdtempSync(join(tmpdir(), "book-sample-"));
  cpSync(SAMPLE, folder, { recursive: true });
  writeFileSync(join(folder, "large.js"), `// ${randomBytes(150_000).toString("base64")}`);
  const server = await serve(folder);
  try {
    const found_here = new Report();
    const seen = new Map([["/index.html", await look(browser, found_here, server, "/index.html", 375)]]);
    await zoomed(browser, found_here, server, "/index.html");
    links(found_here, server, seen);
    for (const wanted of IN_THE_SAMPLE) {
      report.check(found(found_here, wanted), "the sample page", () => `a mistake made on purpose is not found: ${wanted}\n    found: ${found_here.faults.join("\n           ")}`);
    }
    // A page without mistakes has none: themes that do not look as they should are not invented either.
    report.check(!found(found_here, /, light, .*color-contrast at \.by-night/), "the sample page", "finds in the light theme what is only wrong by night");
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

// The book's own files, each with one mistake, and who must find it.
const IN_THE_BOOK = [
  ["player", "heard.textContent = words", "words", use.playerByMouse, /a screen reader is told/],
  ["player", "history.replaceState(", "void (", use.playerByMouse, /the address/],
  ["player", 'classList.toggle("now", one === step)', 'classList.toggle("then", one === step)', use.playerByMouse, /the line that is marked/],
  ["player", "made.box.hidden = !wanted", "made.box.hidden = false", use.playerByMouse, /does not close/],
  ["player", '"button", { type: "button", className: "step-through"', '"span", { className: "step-through"', use.playerByKeyboard, /the player of .* by keyboard/],
  ["player", "Home: 0", "Haus: 0", use.playerByKeyboard, /Home: wanted/],
  ["player", '"hashchange"', '"never"', use.linkToStep, /a link to another step/],
  ["player", "count.textContent = `${step.at + 1} /", "count.textContent = `${step.at} /", (...all) => use.everyRun(...all.slice(0, 3), all[3].path, [375]), /step 1 of \d+ is shown as 0/],
  ["player", 'role: "status"', 'role: "none"', use.playerByMouse, /role=status/],
  ["pages", "storage.set(group(form)", "void (group(form)", use.predictions, /the answers are not remembered/],
  ["pages", "storage.remove(group(form)", "void (group(form)", use.predictions, /come back after they were forgotten/],
  ["pages", "try { return localStorage.getItem(key); } catch { return null; }", "return localStorage.getItem(key);", use.withoutMemory, /remembers nothing/],
  ["pages", "one.open();\n      show", "void one;\n      show", use.closedUntilAnswered, /after an answer, other things are open/],
  ["pages", "one.close()", "void one", use.closedUntilAnswered, /stays open when the answers are forgotten/],
  ["bind.html", "this.answered() &&", "false &&", use.closedUntilAnswered, /another time, other things are open/],
  ["bind.html", "return decodeURIComponent(location.hash)", 'return location.hash !== "" || (location.hash)', use.closedUntilAnswered, /when a step's address is opened/],
  ["bind.html", '"until-found"', '"until-never"', use.closedUntilAnswered, /searching for a text opens/],
  ["pages.css", "after-answer[hidden] { content-visibility: visible;", "after-answer[hidden] {", use.closedUntilAnswered, /closed in print/],
  ["pages.css", ".choice p { display: none;", ".choice p {", use.predictions, /a reason shows before/],
];

async function mistake(browser, report, folder, choice, [file, from, to, act, wanted]) {
  const [stem, ending = "js"] = file.split(".");
  const where = `a mistake made on purpose in ${stem}.${ending}`;
  // A server of its own, so that nobody else reads the changed file.
  const server = await serve(folder);
  const path = ending === "html" ? `/${file}` : [...server.files].find((path) => new RegExp(`/theme/${stem}-[0-9a-f]+\\.${ending}$`).test(path));
  let changed = false;
  server.change(path, (text) => {
    changed ||= text.includes(from);
    return text.replace(from, to);
  });
  const found_here = new Report();
  try {
    await act(browser, found_here, server, choice, 1280);
  } finally {
    await server.close();
  }
  if (!report.check(changed, where, `“${from}” is not there any more: give this mistake its new form`)) return;
  report.check(found(found_here, wanted), where, () => `“${to}” for “${from}” is not found; found: ${found_here.faults.join("; ") || "nothing"}`);
}

// What there is to try, one by one.
export function selftest(browser, report, folder, choice) {
  return [() => sample(browser, report), ...IN_THE_BOOK.map((one) => () => mistake(browser, report, folder, choice, one))];
}
