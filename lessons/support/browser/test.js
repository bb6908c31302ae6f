// Reads the whole book in a real browser. See README.md; `node test.js --help` has the options.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { find, start } from "./chromium.js";
import { LIMITS, THEMES, WIDTHS, links, look, zoomed } from "./look.js";
import { Report } from "./report.js";
import { selftest } from "./selftest.js";
import { serve } from "./server.js";
import * as use from "./use.js";

const HELP = `Reads the whole book in a real browser, and says what does not work for its readers.

Usage: node test.js [OPTIONS]

  --site FOLDER         the built book [default: builds it with cargo workbook, in target/book]
  --only PAGE,PAGE      only these pages (bind,listen), and not the checks of the tests themselves
  --screenshots FOLDER  keep a picture of each page in each theme and width there (not inside the repository)
  --workers NUMBER      how many pages at a time [default: 3]
  --help                this

The browser is Chromium: the variable CHROMIUM names it, or it is in the PATH.`;

// Where the player and the questions are tried by hand: a page that has all of it, with a run in which a call fails; and a
// run with something in an accept queue.
const CHOICE = { path: "bind.html", id: "bind/port-in-use" };
const QUEUE = { path: "listen.html", id: "listen/six-for-five" };

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

function options() {
  const { values } = parseArgs({
    options: {
      site: { type: "string" }, only: { type: "string" }, screenshots: { type: "string" },
      workers: { type: "string", default: "3" }, help: { type: "boolean" },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const workers = Number(values.workers);
  if (!Number.isInteger(workers) || workers < 1) throw new Error(`--workers ${values.workers}: a number from 1`);
  if (values.screenshots && !`${resolve(values.screenshots)}/`.startsWith(ROOT)) mkdirSync(values.screenshots, { recursive: true });
  else if (values.screenshots) throw new Error(`--screenshots ${values.screenshots} is inside the repository: choose a folder elsewhere`);
  return { ...values, workers };
}

function build() {
  execFileSync("cargo", ["workbook", "build"], { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] });
  return join(ROOT, "target", "book");
}

// Does all the tasks, a few at a time.
async function together(workers, tasks) {
  const waiting = [...tasks];
  await Promise.all(Array.from({ length: workers }, async () => {
    while (waiting.length) await waiting.shift()();
  }));
}

// The pages as the project's own server gives them: with its script that waits for news.
async function served(browser, report) {
  const server = spawn("cargo", ["workbook", "--port", "0"], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => { server.once("close", resolve); });
  try {
    const url = await new Promise((resolve, reject) => {
      let said = "";
      server.once("error", reject);
      server.once("close", (status) => reject(new Error(`cargo workbook --port 0 ended with status ${status}`)));
      server.stdout.on("data", (text) => {
        said += text;
        const address = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
        if (address) resolve(address[0]);
      });
    });
    await use.playerByMouse(browser, report, { url }, CHOICE);
    await use.predictions(browser, report, { url }, CHOICE);
  } finally {
    server.kill("SIGTERM");
    await ended;
  }
}

// The book's own script and style, all of it together.
function own(report) {
  const folder = join(ROOT, "book", "theme");
  const weight = ["pages.css", "pages.js", "player.css", "player.js", "fonts/fonts.css", "head.hbs"]
    .map((file) => gzipSync(readFileSync(join(folder, file)), { level: 9 }).length)
    .reduce((sum, bytes) => sum + bytes, 0);
  report.check(weight < LIMITS.own, "book/theme", `script and style weigh ${weight} bytes compressed, not less than ${LIMITS.own}`);
  return weight;
}

function usedBySomebody(browser, report, server, folder, tell) {
  const by = (name, act) => async () => {
    await act();
    tell(name);
  };
  return [
    by("the player by mouse", () => use.playerByMouse(browser, report, server, CHOICE)),
    by("the player by mouse, with a queue", () => use.playerByMouse(browser, report, server, QUEUE)),
    by("the player by keyboard", () => use.playerByKeyboard(browser, report, server, CHOICE)),
    by("links to steps", () => use.linkToStep(browser, report, server, CHOICE)),
    by("less motion", () => use.motion(browser, report, server, CHOICE)),
    by("the predictions", () => use.predictions(browser, report, server, CHOICE)),
    by("nothing remembered", () => use.withoutMemory(browser, report, server, CHOICE)),
    by("the Tab key", () => use.everyStop(browser, report, server, { path: "how-to-use.html" })),
    by("opened as a file", () => use.fromFile(browser, report, folder, CHOICE)),
    ...[1280, 375].flatMap((width) => [
      by(`the player for everyone, ${width} px`, async () => {
        await use.playerForEveryone(browser, report, server, CHOICE, ".now-call.failed", width);
        await use.playerForEveryone(browser, report, server, QUEUE, ".chairs .taken", width);
      }),
      by(`the page's frame, ${width} px`, () => use.frame(browser, report, server, CHOICE, width)),
      by(`what answers a question, ${width} px`, () => use.closedUntilAnswered(browser, report, server, CHOICE, width)),
      by(`what is closed, for everyone, ${width} px`, () => use.closedForEveryone(browser, report, server, CHOICE, width)),
      by(`without script, ${width} px`, () => use.withoutScript(browser, report, server, CHOICE, width)),
      by(`the atlas, ${width} px`, async () => {
        for (const script of [true, false]) await use.atlas(browser, report, server, width, script);
      }),
    ]),
  ];
}

async function main() {
  const { site, only, screenshots, workers } = options();
  const begin = Date.now();
  console.log(`Browser: ${find()}`);
  const folder = resolve(site ?? build());
  const server = await serve(folder);
  const browser = await start();
  const report = new Report();
  const tell = (what) => console.log(`${((Date.now() - begin) / 1000).toFixed(0).padStart(4)} s  ${what}`);
  try {
    console.log(`${browser.browserType().name()} ${browser.version()}; ${server.pages.length} pages in ${folder}`);
    const wanted = only?.split(",");
    const unknown = wanted?.find((name) => !server.pages.includes(`/${name}.html`));
    if (unknown) throw new Error(`there is no page ${unknown}: there are ${server.pages.map((path) => basename(path, ".html")).join(", ")}`);
    // The longest page first, so that nobody waits for it alone at the end.
    const pages = server.pages.filter((path) => !wanted || wanted.includes(path.slice(1, -".html".length)))
      .sort((one, two) => server.weight(two) - server.weight(one));
    // The page of all chapters is by far the longest: it comes when most of its colours are known, and before the end.
    const print = pages.indexOf("/print.html");
    if (print >= 0) pages.splice(Math.floor(pages.length / 3), 0, ...pages.splice(print, 1));
    const seen = new Map();
    let heaviest = { weight: 0 };
    let shift = 0;
    let runs = 0;
    let steps = 0;
    const reading = pages.flatMap((path) => [
      ...WIDTHS.map((width) => async () => {
        const now = Date.now();
        const here = await look(browser, report, server, path, width, { screenshots });
        seen.set(path, here);
        if (path !== "/print.html" && here.weight > heaviest.weight) heaviest = { path, weight: here.weight };
        shift = Math.max(shift, here.shift);
        tell(`${path.slice(1)}, ${width} px (${((Date.now() - now) / 1000).toFixed(1)} s, ${(here.weight / 1000).toFixed(0)} kB, moves ${here.shift.toFixed(3)})`);
      }),
      () => zoomed(browser, report, server, path),
      // The page of all chapters repeats what the chapters have shown.
      ...(path === "/print.html" ? [] : [
        () => use.withoutScriptForEveryone(browser, report, server, path.slice(1)),
        async () => {
          const stepped = await use.everyRun(browser, report, server, path.slice(1), [1280, 375]);
          runs += stepped.runs;
          steps += stepped.steps;
        },
      ]),
    ]);
    if (!only) {
      const mistakes = selftest(browser, report, folder, CHOICE);
      let left = mistakes.length;
      reading.push(...usedBySomebody(browser, report, server, folder, tell), ...mistakes.map((one) => async () => {
        await one();
        left -= 1;
        if (!left) tell(`${mistakes.length} mistakes made on purpose are looked for`);
      }));
    }
    await together(workers, reading);
    links(report, server, seen);
    const weight = own(report);
    if (!only && !site) {
      await served(browser, report);
      tell("served by cargo workbook");
    }
    console.log(`\nHeaviest page: ${heaviest.path?.slice(1) ?? "none"}, ${(heaviest.weight / 1000).toFixed(1)} kB compressed with all that it loads. `
      + `Own script and style: ${(weight / 1000).toFixed(1)} kB. Most movement while loading: ${shift.toFixed(3)}. `
      + `Recorded runs stepped through: ${runs}, with ${steps} steps.`);
    const faults = [...new Set(report.faults)];
    for (const fault of faults) console.log(`FAULT ${fault}`);
    console.log(`\n${pages.length} pages × ${THEMES.length} themes × ${WIDTHS.length} widths, ${report.count} checks in ${((Date.now() - begin) / 1000).toFixed(0)} s: `
      + (faults.length ? `${faults.length} faults.` : "the book works for everyone."));
    process.exitCode = faults.length ? 1 : 0;
  } finally {
    await browser.close();
    await server.close();
  }
}

main().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});
