// Looks at one page as it is: at a width, in each theme, with everything open.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

export const THEMES = ["light", "rust", "coal", "navy", "ayu"];
export const WIDTHS = [1280, 768, 375];
const STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const COLOUR_RULES = ["color-contrast", "link-in-text-block"];
export const LIMITS = { shift: 0.05, page: 130_000, own: 30_000 };
// However busy the machine is, something that takes longer than this does not come any more.
export const PATIENCE = 10_000;

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// A fresh reader: nothing remembered, nothing cached. Whatever goes wrong in a page of this reader is a fault.
export async function reader(browser, report, options = {}) {
  const { width = 1280, where = "", ...more } = options;
  const context = await browser.newContext({ viewport: { width, height: 900 }, reducedMotion: "reduce", ...more });
  context.setDefaultTimeout(PATIENCE);
  context.setDefaultNavigationTimeout(60_000);
  await context.addInitScript(() => {
    window.print = () => {};
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const shift of list.getEntries()) {
        if (shift.hadRecentInput) continue;
        const moved = shift.sources.map(({ node }) => node?.closest?.("[id], [class]") ?? node?.parentElement).filter(Boolean);
        window.shifts.push({ value: shift.value, moved: moved.map((one) => one.tagName.toLowerCase() + (one.id ? `#${one.id}` : `.${one.className}`)) });
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  const page = await context.newPage();
  page.place = where;
  page.loaded = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) report.fault(page.place, `console ${message.type()}: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => report.fault(page.place, `error of a script: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol === "data:" || url.protocol === "blob:") return;
    page.loaded.push(decodeURIComponent(url.pathname));
    if (url.protocol !== "file:" && url.hostname !== "127.0.0.1") report.fault(page.place, `asks another host: ${request.url()}`);
  });
  page.on("requestfailed", (request) => {
    // The page's wait for news from cargo workbook ends with the page.
    if (new URL(request.url()).pathname === "/.workbook/news" && request.failure()?.errorText === "net::ERR_ABORTED") return;
    report.fault(page.place, `request failed: ${request.url()} (${request.failure()?.errorText})`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400 && response.url() !== page.allowed) report.fault(page.place, `request failed: ${response.url()} (${response.status()})`);
  });
  page.on("dialog", (dialog) => dialog.dismiss());
  return page;
}

// Until fonts are there, and two frames have been drawn.
export const settled = (page) => page.evaluate(async () => {
  await document.fonts.ready;
  for (let frame = 0; frame < 2; frame++) await new Promise((resolve) => requestAnimationFrame(resolve));
});

// What axe says against the page: a line per element. "structure" is all that it knows but the colours. For "colours", it is
// asked of one among all elements that have the same colours on the same backgrounds in the same letters: their contrast is
// the same, and a chapter has thousands of them. What has been found right once is known in the whole book.
export async function violations(page, report, { only = ["structure", "colours"], inside = null } = {}) {
  if (!await page.evaluate(() => Boolean(window.axe))) await page.evaluate(axe);
  const found = [];
  if (only.includes("structure")) found.push(...await asked(page, { kinds: null, inside }));
  if (only.includes("colours")) {
    const kinds = (await kindsOf(page, inside)).filter((kind) => !report.colours.has(kind));
    const wrong = kinds.length ? await asked(page, { kinds, inside }) : [];
    found.push(...wrong);
    if (!wrong.length) for (const kind of kinds) report.colours.add(kind);
  }
  return found;
}

// The kinds of text that there are, each with all that its contrast depends on. The page keeps an element of each.
const kindsOf = (page, inside) => page.evaluate((inside) => {
  const backgrounds = new Map([[null, ""]]);
  const background = (one) => {
    if (!backgrounds.has(one)) {
      const style = getComputedStyle(one);
      const own = [style.backgroundColor, style.backgroundImage, style.opacity, style.filter, style.mixBlendMode].join(" ");
      backgrounds.set(one, `${background(one.parentElement)}/${own === "rgba(0, 0, 0, 0) none 1 none normal" ? "" : own}`);
    }
    return backgrounds.get(one);
  };
  window.kinds = new Map();
  const roots = inside ? [...document.querySelectorAll(inside)] : [document.body];
  for (const one of roots.flatMap((root) => [root, ...root.querySelectorAll("*")])) {
    const hasText = [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!hasText || !one.checkVisibility({ visibilityProperty: true })) continue;
    const { color, fontSize, fontWeight, textShadow, textDecorationLine } = getComputedStyle(one);
    // A link must stand out from the text that it is in.
    const around = one.closest("a") ? getComputedStyle(one.closest("a").parentElement).color : "";
    const kind = [one.localName, color, fontSize, fontWeight, textShadow, textDecorationLine, around, background(one)].join(" ");
    if (!window.kinds.has(kind)) window.kinds.set(kind, one);
  }
  return [...window.kinds.keys()];
}, inside);

const asked = (page, { kinds, inside }) => page.evaluate(async ([standards, colours, kinds, inside]) => {
  const { violations } = await window.axe.run(kinds ? { include: kinds.map((kind) => window.kinds.get(kind)) } : inside ?? document, {
    runOnly: kinds ? { type: "rule", values: colours } : { type: "tag", values: standards },
    rules: kinds ? {} : Object.fromEntries(colours.map((rule) => [rule, { enabled: false }])),
    resultTypes: ["violations"], elementRef: false, preload: false, iframes: false, performanceTimer: false,
  });
  return violations.flatMap((rule) => rule.nodes.map((node) => {
    const why = node.failureSummary.split("\n").slice(1).map((line) => line.trim()).filter(Boolean);
    return `${rule.id} at ${node.target.flat().join(" ")}: ${why[0] ?? rule.help}`;
  }));
}, [STANDARDS, COLOUR_RULES, kinds, inside]);

// Which elements make the page wider than the window, if it is.
export const sideways = (page) => page.evaluate(() => {
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide <= 0) return "";
  const culprits = [...document.querySelectorAll("body *")].filter((one) => {
    if (one.getBoundingClientRect().right <= innerWidth + 0.5) return false;
    for (let outer = one.parentElement; outer && outer !== document.body; outer = outer.parentElement) {
      if (/auto|scroll|hidden|clip/.test(getComputedStyle(outer).overflowX)) return false;
    }
    return true;
  });
  const name = (one) => one.tagName.toLowerCase() + (one.id ? `#${one.id}` : "") + (typeof one.className === "string" && one.className ? `.${one.className.trim().replace(/\s+/g, ".")}` : "");
  return `${wide} px wider than the window: ${culprits.slice(-3).map(name).join(", ") || "the page itself"}`;
});

// Opens all that can be opened: folded text, an answer to each question, and each player, at its first call that failed or
// else at its last. (The page of all chapters is there to be printed: its two hundred players stay closed.)
export const unfold = (page) => page.evaluate(() => {
  for (const folded of document.querySelectorAll("main details")) folded.open = true;
  document.querySelectorAll(".predict").forEach((form, at) => {
    const choices = form.querySelectorAll("input[type=radio]");
    choices[at % choices.length].click();
  });
  for (const run of location.pathname === "/print.html" ? [] : document.querySelectorAll("section.trace:has(.step-through)")) {
    run.querySelector(".step-through").click();
    const slider = run.querySelector(".player input");
    const lines = [...run.querySelectorAll("ol > li[id]")];
    const failed = lines.findIndex((line) => line.classList.contains("failed"));
    slider.value = failed < 0 ? lines.length - 1 : failed;
    slider.dispatchEvent(new Event("input"));
  }
  history.replaceState(null, "", location.pathname);
  document.activeElement?.blur();
  scrollTo(0, 0);
});

// The page's elements and where they are, without what a theme is allowed to change.
const shape = (page) => page.evaluate(() => {
  let sum = 0;
  const add = (text) => { for (let at = 0; at < text.length; at++) sum = (Math.imul(sum, 31) + text.charCodeAt(at)) | 0; };
  for (const one of document.body.querySelectorAll("*")) {
    if (one.closest("#mdbook-theme-list")) continue;
    const { x, y, width, height } = one.getBoundingClientRect();
    add(`${one.tagName} ${x} ${y + scrollY} ${width} ${height} ${[...one.attributes].map(({ name, value }) => `${name}=${value}`).join(" ")}`);
  }
  return sum;
});

// A theme is chosen as a reader does it, by mdBook's menu.
export async function choose(page, theme) {
  const chosen = await page.evaluate((theme) => {
    const entry = document.getElementById(`mdbook-theme-${theme}`);
    entry?.click();
    const menu = document.getElementById("mdbook-theme-list");
    if (menu) menu.style.display = "none";
    document.activeElement?.blur();
    return Boolean(entry) && document.documentElement.classList.contains(theme);
  }, theme);
  if (chosen) await settled(page);
  return chosen;
}

// One page at one width, in all themes.
export async function look(browser, report, server, path, width, { themes = THEMES, screenshots = null } = {}) {
  const name = path.slice(1);
  const at = (theme) => `${name}, ${theme}, ${width} px`;
  const page = await reader(browser, report, { width, where: at("light"), colorScheme: "light" });
  try {
    await page.goto(server.url + path, { waitUntil: "load" });
    await settled(page);
    await page.waitForLoadState("networkidle");
    report.count += 4; // no error, no failed request, no other host, a page that loads: each is a fault where it happens

    const loaded = [...new Set(page.loaded)].map((path) => (path === "/" ? "/index.html" : path)).filter((path) => server.files.has(path));
    const weight = loaded.filter((path) => !/\/searchindex-/.test(path)).reduce((sum, path) => sum + server.weight(path), 0);
    report.check(name === "print.html" || weight <= LIMITS.page, at("light"), () => `weighs ${weight} bytes compressed with all that it loads, more than ${LIMITS.page}`);
    const shifts = await page.evaluate(() => window.shifts);
    const shift = shifts.reduce((sum, { value }) => sum + value, 0);
    report.check(shift < LIMITS.shift, at("light"), () => `moves while it loads, by ${shift.toFixed(3)}, not less than ${LIMITS.shift}: ${[...new Set(shifts.flatMap(({ moved }) => moved))].slice(0, 5).join(", ")}`);

    const wide = async (theme, when) => {
      const what = await sideways(page);
      report.check(!what, at(theme), () => `scrolls sideways${when}: ${what}`);
    };
    await wide("light", "");
    // On the page for what is not there, mdBook's headings link to themselves in vain: all its addresses begin at the first page.
    const addresses = await page.evaluate(() => [...document.querySelectorAll(document.querySelector("base") ? "a[href]:not(.header)" : "a[href]")].map((link) => link.href));
    const anchors = await page.evaluate(() => [...document.querySelectorAll("[id], a[name]")].map((one) => one.id || one.name));
    await unfold(page);
    await settled(page);
    if (screenshots) await page.screenshot({ path: join(screenshots, `${name.replaceAll("/", "-")}-light-${width}.png`), fullPage: true });

    // The page of all chapters has nothing that the chapters have not, and takes minutes for each width: one must do.
    const full = name !== "print.html" || width === WIDTHS[0];
    if (full) {
      for (const what of await violations(page, report)) report.fault(at("light"), what);
      report.count += 1;
    }
    const before = full && await shape(page);
    for (const theme of themes.filter((theme) => theme !== "light")) {
      page.place = at(theme);
      // mdBook's table of contents for readers without script has no themes, and no script.
      if (!await choose(page, theme)) {
        report.check(name === "toc.html", at(theme), "this theme cannot be chosen");
        continue;
      }
      await wide(theme, "");
      if (full) {
        // Where only colours differ, only the rules about colours can find something else.
        const same = await shape(page) === before;
        for (const what of await violations(page, report, { only: same ? ["colours"] : ["structure", "colours"] })) report.fault(at(theme), what);
        report.count += 1;
      }
      if (screenshots) await page.screenshot({ path: join(screenshots, `${name.replaceAll("/", "-")}-${theme}-${width}.png`), fullPage: true });
    }
    return { weight, shift, addresses, anchors };
  } catch (error) {
    report.fault(page.place, String(error.message ?? error).split("\n").slice(0, 4).join(" | "));
    return { weight: 0, shift: 0, addresses: [], anchors: [] };
  } finally {
    page.place += ", closing";
    await page.context().close();
  }
}

// The same page twice as large (half the width), and at the narrowest width that must do without sideways scroll.
export async function zoomed(browser, report, server, path) {
  const widths = [[640, "1280 px at 200 %"], [320, "320 px"]];
  const page = await reader(browser, report, { width: 640, where: path.slice(1), deviceScaleFactor: 2, colorScheme: "light" });
  const check = async (when) => {
    for (const [width, what] of widths) {
      page.place = `${path.slice(1)}, light, ${what}`;
      await page.setViewportSize({ width, height: 900 });
      const wide = await sideways(page);
      report.check(!wide, page.place, () => `scrolls sideways${when}: ${wide}`);
    }
  };
  try {
    await page.goto(server.url + path, { waitUntil: "load" });
    await settled(page);
    await check("");
    await unfold(page);
    await check(" with all open");
  } catch (error) {
    report.fault(page.place, String(error.message ?? error).split("\n")[0]);
  } finally {
    await page.context().close();
  }
}

// Links between pages, and within them: a page and a place in it for each.
export function links(report, server, seen) {
  for (const [path, { addresses }] of seen) {
    for (const address of new Set(addresses)) {
      const url = new URL(address);
      if (url.origin !== server.url) continue;
      const target = url.pathname.endsWith("/") ? `${url.pathname}index.html` : decodeURIComponent(url.pathname);
      const place = decodeURIComponent(url.hash.slice(1));
      if (!report.check(server.files.has(target), path.slice(1), `a link leads nowhere: ${address}`)) continue;
      if (place && seen.has(target)) report.check(seen.get(target).anchors.includes(place), path.slice(1), `a link leads to no place in ${target.slice(1)}: #${place}`);
    }
  }
}
