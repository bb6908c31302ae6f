// Uses the book as its readers do: by mouse, by keyboard, without script, with less motion, coming back another day.
import assert from "node:assert/strict";
import { PATIENCE, THEMES, choose, reader, settled, sideways, violations } from "./look.js";

// Waits until something is so, and says what it was when it never came.
async function until(what, read, wanted) {
  const end = Date.now() + PATIENCE;
  let got;
  do {
    got = await read();
    if (got === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  } while (Date.now() < end);
  assert.fail(`${what}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);
}

const hash = (page) => page.evaluate(() => decodeURIComponent(location.hash));
const byId = (page, id) => page.locator(`[id="${id}"]`);
const inSight = (locator) => locator.evaluate((one) => {
  const { top, bottom } = one.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
});

async function open(browser, report, server, address, where, options = {}) {
  const page = await reader(browser, report, { where, ...options });
  await page.goto(server.url + address, { waitUntil: "load" });
  if (options.javaScriptEnabled !== false) await settled(page);
  return page;
}

// The focus goes to what is before `locator` in the order of the Tab key, so that the next Tab must reach it.
const focusBefore = (locator) => locator.evaluate((wanted) => {
  const stops = [...document.querySelectorAll("a[href], button, input, summary, [tabindex]")]
    .filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true }));
  stops[stops.indexOf(wanted) - 1].focus();
});
const isFocused = (locator) => locator.evaluate((one) => one === document.activeElement);
const showsFocus = (page) => page.evaluate(() => {
  for (let one = document.activeElement; one && one !== document.body; one = one.parentElement) {
    const style = getComputedStyle(one);
    if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) return true;
  }
  return false;
});

function parts(page, id) {
  const run = byId(page, id);
  const player = run.locator(".player");
  return {
    run, player,
    toggle: run.locator(".step-through"),
    next: player.locator(".next"), back: player.locator(".back"), first: player.locator(".first"),
    slider: player.locator("input[type=range]"),
    count: () => player.locator(".count").textContent(),
    heard: () => player.locator("[role=status]").textContent(),
  };
}

// A run that answers a question is closed at first: this opens it, as whoever does not want to guess does.
async function uncover(page, id) {
  const closed = byId(page, id).locator("after-answer[hidden]");
  if (await closed.count()) await byId(page, id).locator(".until-answer button").click();
}

// The player by mouse: opened, every step with its words and its address, both ends, closed again.
export async function playerByMouse(browser, report, server, { path, id }) {
  const where = `${path}, the player of ${id}, by mouse`;
  const page = await open(browser, report, server, `/${path}`, where);
  await report.part(where, async () => {
    const { run, toggle, player, next, back, first, slider, count, heard } = parts(page, id);
    const lines = run.locator("ol > li[id]");
    const steps = await lines.count();
    await uncover(page, id);
    assert.ok(steps > 2, `this run has ${steps} steps: too few to try the player with`);
    assert.equal(await toggle.getAttribute("aria-expanded"), "false", "the button says that the player is open before it is");
    await toggle.click();
    assert.equal(await toggle.getAttribute("aria-expanded"), "true", "the button does not say that the player is open");
    assert.ok(await player.isVisible(), "the player does not open");
    const words = new Set();
    for (let step = 1; step <= steps; step++) {
      await until(`the count at step ${step}`, count, `${step} / ${steps}`);
      const said = await heard();
      assert.ok(said.startsWith(`Step ${step} of ${steps}`), `at step ${step} a screen reader is told: ${said}`);
      const call = (await lines.nth(step - 1).locator("samp").textContent()).trim().split(/[(\s]/)[0];
      assert.ok(said.includes(call), `the words for step ${step} do not name ${call}: ${said}`);
      assert.ok(!words.has(said), `the words for step ${step} were said before: ${said}`);
      words.add(said);
      assert.equal(await slider.getAttribute("aria-valuetext"), `${step} of ${steps}`, "the slider's words");
      assert.deepEqual(await run.locator("li[id].now").evaluateAll((all) => all.map((one) => one.id)), [`${id}@${step}`], "the line that is marked");
      if (step > 1) assert.equal(await hash(page), `#${id}@${step}`, "the address");
      assert.equal(await next.getAttribute("aria-disabled"), String(step === steps), `whether there is a next step, at ${step}`);
      assert.equal(await back.getAttribute("aria-disabled"), String(step === 1), `whether there is a step back, at ${step}`);
      if (step < steps) await next.click();
    }
    // A button that says that it does nothing is not clicked otherwise.
    await next.click({ force: true });
    assert.equal(await count(), `${steps} / ${steps}`, "a click on Next at the end");
    await back.click();
    await until("one back", count, `${steps - 1} / ${steps}`);
    await first.click();
    await until("the first step", count, `1 / ${steps}`);
    const box = await slider.boundingBox();
    await page.mouse.click(box.x + box.width - 3, box.y + box.height / 2);
    await until("a click on the slider's end", count, `${steps} / ${steps}`);
    await toggle.click();
    assert.ok(await player.isHidden(), "the player does not close");
    assert.equal(await toggle.getAttribute("aria-expanded"), "false", "the button does not say that the player is closed");
    assert.equal(await run.locator("li[id].now").count(), 0, "a line stays marked when the player is closed");
  });
  await page.context().close();
}

// The player by keyboard alone: reached, opened, stepped by all its keys, closed; and the page's own keys stay quiet.
export async function playerByKeyboard(browser, report, server, { path, id }) {
  const where = `${path}, the player of ${id}, by keyboard`;
  const page = await open(browser, report, server, `/${path}`, where);
  await report.part(where, async () => {
    const { run, toggle, player, next, slider, count } = parts(page, id);
    const steps = await run.locator("ol > li[id]").count();
    const at = (step, why) => until(why, count, `${step} / ${steps}`);
    await uncover(page, id);
    await focusBefore(toggle);
    await page.keyboard.press("Tab");
    assert.ok(await isFocused(toggle), "the Tab key does not reach the button that opens the player");
    assert.ok(await showsFocus(page), "the button does not show that it has the focus");
    await page.keyboard.press("Enter");
    assert.ok(await player.isVisible(), "Enter does not open the player");
    assert.ok(await isFocused(next), "the focus does not go to Next");
    await page.keyboard.press("ArrowRight");
    await at(2, "arrow right");
    await page.keyboard.press("Space");
    await at(3, "space on Next");
    await page.keyboard.press("Enter");
    await at(Math.min(4, steps), "Enter on Next");
    await page.keyboard.press("ArrowLeft");
    await at(Math.min(4, steps) - 1, "arrow left");
    await page.keyboard.press("End");
    await at(steps, "End");
    await page.keyboard.press("ArrowRight");
    await at(steps, "arrow right at the end");
    await page.keyboard.press("Home");
    await at(1, "Home");
    assert.equal(await hash(page), `#${id}@1`, "the address");
    await page.keyboard.press("Tab");
    assert.ok(await isFocused(slider), "the Tab key does not go from Next to the slider");
    assert.ok(await showsFocus(page), "the slider does not show that it has the focus");
    await page.keyboard.press("ArrowRight");
    await at(2, "arrow right on the slider");
    await page.keyboard.press("End");
    await at(steps, "End on the slider");
    await page.keyboard.press("Home");
    await at(1, "Home on the slider");
    assert.equal(new URL(page.url()).pathname, `/${path}`, "an arrow in the player turned the page");
    await toggle.focus();
    await page.keyboard.press("Space");
    assert.ok(await player.isHidden(), "Space does not close the player");
    await page.keyboard.press("ArrowRight");
    assert.equal(new URL(page.url()).pathname, `/${path}`, "an arrow turned the page, though shortcuts are off");
  });
  await page.context().close();
}

// A step's address: opened as a link, followed in the page, with the player closed and open.
export async function linkToStep(browser, report, server, { path, id }) {
  const where = `${path}, a link to a step of ${id}`;
  const page = await open(browser, report, server, `/${path}#${id}@3`, where);
  await report.part(where, async () => {
    const { run, toggle, count } = parts(page, id);
    const steps = await run.locator("ol > li[id]").count();
    const line = byId(page, `${id}@3`);
    assert.ok(await inSight(line), "the line that the address names is not in sight");
    assert.notEqual(await line.evaluate((one) => getComputedStyle(one).outlineStyle), "none", "the line that the address names is not marked");
    await toggle.click();
    await until("the player opens at the step in the address", count, `3 / ${steps}`);
    await page.evaluate((to) => { location.hash = to; }, `${id}@2`);
    await until("a link to another step, with the player open", count, `2 / ${steps}`);
    await page.goBack();
    await until("back to the step before", count, `3 / ${steps}`);
    await page.evaluate((to) => { location.hash = to; }, `${id}@99`);
    await page.evaluate((to) => { location.hash = to; }, `${id}@2`);
    await until("a link to a step after one that leads nowhere", count, `2 / ${steps}`);
  });
  await page.context().close();
}

// Whoever wants less motion gets none, and the others some: without the second half the first would say nothing.
export async function motion(browser, report, server, { path, id }) {
  for (const reducedMotion of ["reduce", "no-preference"]) {
    const where = `${path}, the player of ${id}, prefers-reduced-motion: ${reducedMotion}`;
    const page = await open(browser, report, server, `/${path}`, where, { reducedMotion });
    await report.part(where, async () => {
      const { toggle, player, next } = parts(page, id);
      await uncover(page, id);
      await toggle.click();
      await next.click();
      const moving = await player.evaluate((box) => [...box.querySelectorAll("*")].filter((one) => {
        const style = getComputedStyle(one);
        return style.transitionDuration.split(",").some((time) => parseFloat(time) > 0) || style.animationName !== "none";
      }).map((one) => one.className));
      if (reducedMotion === "reduce") assert.deepEqual(moving, [], "moves, though less motion is wanted");
      else assert.ok(moving.length > 0, "nothing moves at all: then this check finds nothing");
    });
    await page.context().close();
  }
}

// Every recorded run of a page, opened and stepped to its end, at each width. Returns how many runs and steps there were.
// Each width is a visit of its own: in a window made narrow the list of chapters stays open, and moves the page aside.
export async function everyRun(browser, report, server, path, widths) {
  let runs = [];
  for (const width of widths) {
    const page = await open(browser, report, server, `/${path}`, `${path}, ${width} px, its recorded runs`, { width });
    runs = await stepThrough(page, report);
    await page.context().close();
  }
  return { runs: runs.length, steps: runs.reduce((sum, { steps }) => sum + steps, 0) };
}

async function stepThrough(page, report) {
  let runs = [];
  try {
    runs = await page.evaluate(async () => [...document.querySelectorAll("section.trace:not(.cause)")].map((section) => {
      const faults = [];
      const fault = (what) => faults.push(`${section.id}: ${what}`);
      const lines = section.querySelectorAll("ol > li[id]");
      const toggle = section.querySelector(".step-through");
      // A run that could not be traced has nothing to step through.
      if (!toggle) return { faults: lines.length ? [`${section.id}: has no player`] : [], steps: 0 };
      section.querySelector("after-answer")?.open();
      toggle.click();
      const player = section.querySelector(".player");
      const heard = player.querySelector("[role=status]");
      let said = "";
      for (let step = 1; step <= lines.length; step++) {
        player.querySelector(step > 1 ? ".next" : ".first").click();
        const count = player.querySelector(".count").textContent;
        if (count !== `${step} / ${lines.length}`) fault(`step ${step} of ${lines.length} is shown as ${count}`);
        if (heard.textContent === said) fault(`the words do not change at step ${step}`);
        said = heard.textContent;
        if (/undefined|NaN|\[object/.test(player.textContent)) fault(`step ${step} shows ${/.{0,20}(undefined|NaN|\[object).{0,20}/.exec(player.textContent)[0]}`);
        if (document.documentElement.scrollWidth > innerWidth) fault(`step ${step} scrolls sideways`);
        const box = player.getBoundingClientRect();
        const out = [...player.querySelectorAll(".card, .side, .kernel, .now-call")].find((one) => one.getBoundingClientRect().right > box.right + 1 || one.scrollWidth > one.clientWidth + 1);
        if (out) fault(`step ${step}: ${out.className} is too narrow for what it holds`);
      }
      toggle.click();
      return { faults, steps: lines.length };
    }));
    for (const { faults } of runs) report.check(faults.length === 0, page.place, () => [...new Set(faults)].slice(0, 5).join("; "));
  } catch (error) {
    report.fault(page.place, String(error.message ?? error).split("\n")[0]);
  }
  return runs;
}

// What axe says of an open player at the first step that shows `wanted`, in every theme.
export async function playerForEveryone(browser, report, server, { path, id }, wanted, width) {
  const where = (theme) => `${path}, ${theme}, ${width} px, the player of ${id} at ${wanted}`;
  const page = await open(browser, report, server, `/${path}`, where("light"), { width });
  await report.part(where("light"), async () => {
    const { run, player, toggle, next } = parts(page, id);
    await uncover(page, id);
    await toggle.click();
    const steps = await run.locator("ol > li[id]").count();
    for (let step = 1; step < steps && await player.locator(wanted).count() === 0; step++) await next.click();
    assert.ok(await player.locator(wanted).count() > 0, `no step of ${id} shows ${wanted}`);
    for (const theme of THEMES) {
      page.place = where(theme);
      assert.ok(await choose(page, theme), `the theme ${theme} cannot be chosen`);
      report.count += 1;
      for (const fault of await violations(page, report, { inside: `[id="${id}"]` })) report.fault(where(theme), fault);
      const wide = await sideways(page);
      report.check(!wide, where(theme), `scrolls sideways: ${wide}`);
    }
  });
  await page.context().close();
}

// What axe says of a run that is still closed, in every theme.
export async function closedForEveryone(browser, report, server, { path, id }, width) {
  const where = (theme) => `${path}, ${theme}, ${width} px, ${id} closed`;
  const page = await open(browser, report, server, `/${path}`, where("light"), { width });
  await report.part(where("light"), async () => {
    assert.ok(await byId(page, id).locator(".until-answer button").isVisible(), "is not closed");
    for (const theme of THEMES) {
      page.place = where(theme);
      assert.ok(await choose(page, theme), `the theme ${theme} cannot be chosen`);
      report.count += 1;
      for (const fault of await violations(page, report, { inside: `[id="${id}"]` })) report.fault(where(theme), fault);
    }
  });
  await page.context().close();
}

// The questions: by mouse, by keyboard, remembered, forgotten.
export async function predictions(browser, report, server, { path }) {
  const where = `${path}, the predictions`;
  const page = await open(browser, report, server, `/${path}`, where);
  await report.part(where, async () => {
    const forms = page.locator(".predict");
    const first = forms.first();
    const wrong = first.locator(".choice:not([data-right])").first();
    const right = first.locator(".choice[data-right]");
    const reason = (choice) => choice.locator("p");
    const forget = page.locator(".forget").first();
    assert.ok(await reason(wrong).isHidden() && await reason(right).isHidden(), "a reason shows before there is an answer");
    assert.ok(await forget.isHidden(), "there is nothing to forget, and a button for it");
    await wrong.locator("label").click();
    assert.ok(await reason(wrong).isVisible(), "a wrong answer does not show why it is wrong");
    assert.match(await reason(wrong).textContent(), /^✗ Not quite\. ./);
    assert.ok(await reason(right).isHidden(), "the right answer's reason shows though it was not chosen");
    assert.ok(await forget.isVisible(), "there is no way to forget an answer");
    // By keyboard: a group of choices is one stop, and the arrows choose.
    await wrong.locator("input").focus();
    const inputs = first.locator("input");
    const count = await inputs.count();
    for (let tries = 0; tries < count && !await right.locator("input").isChecked(); tries++) await page.keyboard.press("ArrowDown");
    assert.ok(await right.locator("input").isChecked(), "the arrow keys do not choose");
    assert.ok(await showsFocus(page), "a choice does not show that it has the focus");
    assert.match(await reason(right).textContent(), /^✓ Right\. ./);
    assert.ok(await reason(right).isVisible() && await reason(wrong).isHidden(), "the reason is not that of the choice");
    await page.keyboard.press("Tab");
    assert.ok(await isFocused(first.locator("summary")), "the Tab key does not go from the choices to the folded answer");
    await page.keyboard.press("Enter");
    assert.ok(await first.locator("details").evaluate((one) => one.open), "Enter does not unfold the answer");
    const chosen = () => page.evaluate(() => [...document.querySelectorAll(".predict")].map((form) => [...form.querySelectorAll("input")].findIndex((one) => one.checked)));
    if (await forms.count() > 1) await forms.nth(1).locator(".choice label").first().click();
    const before = await chosen();
    await page.reload();
    await settled(page);
    assert.deepEqual(await chosen(), before, "the answers are not remembered");
    assert.ok(await reason(right).isVisible(), "a remembered answer does not show its reason");
    await forget.focus();
    await page.keyboard.press("Enter");
    const none = before.map(() => -1);
    assert.deepEqual(await chosen(), none, "the answers are not forgotten");
    assert.ok(!await page.evaluate(() => document.activeElement === document.body), "the focus is lost with the button that forgets");
    await page.reload();
    await settled(page);
    assert.deepEqual(await chosen(), none, "the answers come back after they were forgotten");
    assert.ok(await forget.isHidden(), "there is nothing to forget any more, and a button for it");
  });
  await page.context().close();
}

// What answers a question: closed until there is an answer, or until it is wanted in another way.
export async function closedUntilAnswered(browser, report, server, { path, id }, width) {
  const where = `${path}, ${width} px, what answers a question`;
  const page = await open(browser, report, server, `/${path}`, where, { width });
  const all = page.locator("after-answer");
  // For each of them whether it is closed, as a reader sees it.
  const closed = () => all.evaluateAll((all) => all.map((one) => !one.querySelector("p, ol").checkVisibility()));
  const questions = () => all.evaluateAll((all) => all.map((one) => one.dataset.question));
  const only = async (wanted) => (await questions()).map((question) => !wanted.includes(question));
  const run = byId(page, id);
  const button = run.locator(".until-answer button");
  const again = async (address = "") => {
    await page.goto("about:blank");
    await page.goto(`${server.url}/${path}${address}`, { waitUntil: "load" });
    await settled(page);
  };
  await report.part(where, async () => {
    const question = await run.locator("after-answer").getAttribute("data-question");
    const form = page.locator(".predict").filter({ has: page.locator(`input[name="${question}"]`) });
    const none = (await questions()).map(() => true);
    assert.ok(new Set(await questions()).size > 1, "there is one question only: too few to see that one opens nothing of the others");
    assert.deepEqual(await closed(), none, "not everything is closed at first");
    assert.ok(await run.locator("pre code").first().isVisible(), "the command is closed, too");
    assert.ok(await button.isVisible(), "there is no way to open it");
    assert.equal(await button.getAttribute("aria-expanded"), "false", "the button says that it is open before it is");
    // By keyboard: opened and closed by the button, which keeps the focus.
    await focusBefore(button);
    await page.keyboard.press("Tab");
    assert.ok(await isFocused(button), "the Tab key does not reach the button that opens it");
    assert.ok(await showsFocus(page), "the button does not show that it has the focus");
    await page.keyboard.press("Enter");
    assert.ok(await run.locator("ol > li").first().isVisible(), "Enter does not open it");
    assert.equal(await button.getAttribute("aria-expanded"), "true", "the button does not say that it is open");
    assert.ok(await isFocused(button), "the focus is lost when it opens");
    await page.keyboard.press("Space");
    assert.deepEqual(await closed(), none, "Space does not close it again");
    assert.ok(await isFocused(button), "the focus is lost when it closes");

    // By an answer: a wrong one will do. It opens what belongs to this question, and stays.
    await form.locator(".choice:not([data-right]) label").first().click();
    assert.deepEqual(await closed(), await only([question]), "after an answer, other things are open than those that it is about");
    assert.match(await run.locator(".until-answer [role=status]").textContent(), /is open now/, "a screen reader is not told that it is open");
    assert.ok(await button.isHidden(), "the button stays when nothing is closed");
    await page.reload();
    await settled(page);
    assert.deepEqual(await closed(), await only([question]), "another time, other things are open than those that have been answered");
    await page.locator(".forget").first().click();
    assert.deepEqual(await closed(), none, "it stays open when the answers are forgotten");
    assert.ok(await button.isVisible(), "once forgotten, there is no way to open it");
    await page.reload();
    await settled(page);
    assert.deepEqual(await closed(), none, "it opens again after the answers were forgotten");

    // By reading the answer.
    await form.locator("summary").click();
    await until("what opens with the answer", async () => String(await closed()), String(await only([question])));

    // By an address: of a step, from elsewhere and from here, and of a text.
    const one = await all.evaluateAll((all, id) => all.map((one) => one.parentElement.id !== id), id);
    await again(`#${id}@3`);
    assert.deepEqual(await closed(), one, "what is open when a step's address is opened");
    assert.ok(await inSight(byId(page, `${id}@3`)), "the step is not in sight");
    await again();
    await page.evaluate((to) => { location.hash = to; }, `${id}@3`);
    await until("what a link to a step opens", async () => String(await closed()), String(one));
    await until("the step is in sight", () => inSight(byId(page, `${id}@3`)), true);
    await again(`#:~:text=${encodeURIComponent("What it printed")}`);
    await until("searching for a text opens what has it", async () => (await closed()).includes(false), true);

    // On paper.
    await again();
    await page.emulateMedia({ media: "print" });
    assert.deepEqual(await closed(), none.map(() => false), "something is closed in print");
    assert.ok(await button.isHidden(), "a button is printed");
  });
  await page.context().close();
}

// An answer that cannot be remembered (a browser that forbids it) is still an answer.
export async function withoutMemory(browser, report, server, { path }) {
  const where = `${path}, in a browser that remembers nothing`;
  const page = await reader(browser, report, { where });
  await page.addInitScript(() => {
    Object.defineProperty(window, "localStorage", { get() { throw new DOMException("not allowed", "SecurityError"); } });
  });
  await report.part(where, async () => {
    await page.goto(`${server.url}/${path}`, { waitUntil: "load" });
    await page.locator(".predict .choice label").first().click();
    assert.ok(await page.locator(".predict .choice p").first().isVisible(), "an answer does not show its reason");
    assert.ok(await page.locator(".step-through").first().isVisible(), "there is no player");
  });
  await page.context().close();
}

// The atlas: a table of its own width, filtered by call and by need with nothing but style sheets, by mouse and by keyboard,
// with script and without; on paper all of it.
export async function atlas(browser, report, server, width, javaScriptEnabled) {
  const where = `atlas.html, ${width} px, ${javaScriptEnabled ? "with" : "without"} script`;
  const page = await open(browser, report, server, "/atlas.html", where, { javaScriptEnabled, width });
  await report.part(where, async () => {
    const rows = page.locator(".atlas tbody tr");
    const seen = async () => (await rows.filter({ visible: true }).count());
    const all = await rows.count();
    assert.ok(all > 40, `the atlas has ${all} rows only`);
    assert.equal(await seen(), all, "something is hidden at first");
    const radio = (name, value) => page.locator(`.atlas input[name="${name}"][value="${value}"]`);
    await radio("atlas-call", "listen").check();
    const ofListen = await seen();
    assert.ok(ofListen > 0 && ofListen < all, `${ofListen} of ${all} rows are listen's`);
    assert.equal(await page.locator(".atlas thead th").filter({ visible: true }).count(), 2, "other calls are to be seen");
    assert.ok(!await sideways(page), "the page scrolls sideways");
    await radio("atlas-need", "injected").check();
    const both = await seen();
    assert.ok(both > 0 && both < ofListen, `${both} of ${ofListen} rows are listen's and injected`);
    for (const row of await rows.filter({ visible: true }).all()) {
      assert.ok(await row.locator("td a").filter({ visible: true }).count() === 1, "a row is shown that has nothing to show");
    }
    // By keyboard: one stop for each group, the arrows choose in it.
    await radio("atlas-call", "listen").focus();
    await page.keyboard.press("ArrowRight");
    assert.ok(await radio("atlas-call", "accept").isChecked(), "the arrow chooses nothing");
    assert.ok(await showsFocus(page), "the focus is not to be seen");
    await page.emulateMedia({ media: "print" });
    assert.equal(await seen(), all, "a filter holds on paper");
    assert.equal(await page.locator(".atlas fieldset").filter({ visible: true }).count(), 0, "the filters are printed");
    await page.emulateMedia({ media: null });
    await radio("atlas-call", "").check();
    await radio("atlas-need", "").check();
    assert.equal(await seen(), all, "something stays hidden");
    // Each cell leads to its causes.
    const cell = rows.first().locator("td a").first();
    const href = await cell.getAttribute("href");
    assert.match(href, /^[a-z]+-errnos\.html#E/, "a cell leads elsewhere");
    // The table has more columns than a narrow page has room for: it scrolls in a region of its own, by keyboard, too. (Nothing
    // is clicked after that: a page that scrolls smoothly beside busy ones may not come to rest for seconds.)
    if (width < 700) {
      const region = page.getByRole("region", { name: await page.locator(".atlas caption").textContent() });
      await region.focus();
      await page.keyboard.press("ArrowRight");
      await until("the table scrolls by keyboard", () => region.evaluate((one) => one.scrollLeft > 0), true);
      await region.evaluate((one) => { one.scrollLeft = one.scrollWidth; });
      const beside = async () => (await rows.first().locator("th").boundingBox()).x - (await region.boundingBox()).x;
      await until("the errnos stay in sight", async () => Math.abs(await beside()) < 4, true);
      assert.ok(!await sideways(page), "the page scrolls sideways");
    }
  });
  await page.context().close();
}

// Without script: everything is there, and what folds can be unfolded.
export async function withoutScript(browser, report, server, { path, id }, width) {
  const where = `${path}, ${width} px, without script`;
  const page = await open(browser, report, server, `/${path}#${id}@3`, where, { javaScriptEnabled: false, width });
  await report.part(where, async () => {
    assert.equal(await page.locator(".step-through").count(), 0, "there is a button that does nothing");
    for (const run of await page.locator("section.trace:not(.cause)").all()) {
      const { steps, lines, name } = await run.evaluate((section) => ({
        name: section.id,
        steps: JSON.parse(section.querySelector("script[type='application/json']")?.textContent ?? '{"steps":[]}').steps.length,
        lines: [...section.querySelectorAll("ol > li[id]")].filter((one) => one.textContent.trim()).length,
      }));
      assert.equal(lines, steps, `the lines of ${name}`);
      if (lines) assert.ok(await run.locator("ol > li[id]").first().isVisible(), `${name} is closed, and nothing opens it`);
    }
    assert.ok(await byId(page, `${id}@3`).isVisible(), "the line that the address names is not to be seen");
    assert.ok(await inSight(byId(page, `${id}@3`)), "the line that the address names is not in sight");
    const form = page.locator(".predict").first();
    await form.locator(".choice[data-right] label").click();
    assert.ok(await form.locator(".choice[data-right] p").isVisible(), "a choice does not show its reason");
    await form.locator("summary").click();
    assert.ok(await form.locator("details > p").first().isVisible(), "the answer does not unfold");
    assert.ok(await page.locator(".forget").count() === 0 || await page.locator(".forget").first().isHidden(), "there is a button that does nothing");
    const hint = page.locator(".exercise details").first();
    await hint.locator("summary").first().focus();
    await page.keyboard.press("Enter");
    assert.ok(await hint.evaluate((one) => one.open), "a hint does not unfold");
    const spelling = page.locator(".spellings").first();
    if (await spelling.count()) {
      const choice = spelling.locator("label").nth(1);
      await choice.click();
      assert.ok(await spelling.locator(".code").nth(1).isVisible(), "another language cannot be chosen");
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `scrolls sideways by ${wide} px`);
  });
  await page.context().close();
}

// What axe says of the page as a reader without script has it, by day and by night. axe is a script itself, so the page
// comes with its scripts taken out and what stands in <noscript> let out.
export async function withoutScriptForEveryone(browser, report, server, path) {
  const page = await reader(browser, report, { where: `${path}, without script`, colorScheme: "light" });
  await page.route(`${server.url}/*.html`, async (route) => {
    const response = await route.fetch();
    const text = (await response.text()).replace(/<script\b[^]*?<\/script>/g, "").replace(/<\/?noscript>/g, "");
    await route.fulfill({ response, body: text });
  });
  try {
    await page.goto(`${server.url}/${path}`, { waitUntil: "load" });
    await settled(page);
    await page.evaluate(() => { for (const folded of document.querySelectorAll("main details")) folded.open = true; });
    // By night only the colours differ.
    for (const [width, colorScheme, only] of [[1280, "light", ["structure", "colours"]], [375, "light", ["structure", "colours"]], [375, "dark", ["colours"]]]) {
      page.place = `${path}, ${width} px, without script, a ${colorScheme} system`;
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await settled(page);
      report.count += 1;
      for (const what of await violations(page, report, { only })) report.fault(page.place, what);
      const wide = await sideways(page);
      report.check(!wide, page.place, () => `scrolls sideways: ${wide}`);
    }
  } catch (error) {
    report.fault(page.place, String(error.message ?? error).split("\n")[0]);
  }
  await page.context().close();
}

// The frame around the pages: the skip link, the contents, themes and search, by keyboard, and what axe says of them open.
export async function frame(browser, report, server, { path }, width) {
  const where = `${path}, ${width} px, the page's frame`;
  const page = await open(browser, report, server, `/${path}`, where, { width });
  await report.part(where, async () => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip", "the first stop of the Tab key is not the link to the page itself");
    const sidebar = page.locator("#mdbook-sidebar");
    const toggle = page.locator("button#mdbook-sidebar-toggle");
    const state = () => sidebar.evaluate((one) => one.getAttribute("aria-hidden") !== "true" && one.checkVisibility() && one.getBoundingClientRect().right > 0);
    const was = await state();
    await toggle.focus();
    assert.ok(await showsFocus(page), "the button for the contents does not show that it has the focus");
    await page.keyboard.press("Enter");
    await until("Enter on the button for the contents", state, !was);
    assert.equal(await toggle.getAttribute("aria-expanded"), String(!was), "what the button for the contents says");
    await page.keyboard.press("Space");
    await until("Space on the button for the contents", state, was);
    if (!was) {
      await page.keyboard.press("Space");
      await until("Space on the button for the contents", state, true);
    }
    const inEveryTheme = async (what, inside) => {
      for (const theme of THEMES) {
        page.place = `${where}, ${theme}, ${what}`;
        await choose(page, theme);
        await page.evaluate(() => scrollTo(0, 0));
        if (what.includes("themes")) await page.evaluate(() => document.getElementById("mdbook-theme-toggle").click());
        report.count += 1;
        for (const fault of await violations(page, report, { inside })) report.fault(page.place, fault);
      }
    };
    await inEveryTheme("contents and themes open", "#mdbook-sidebar, #mdbook-menu-bar");
    await page.keyboard.press("Escape");
    // In a narrow window the contents lie over the page.
    if (!was) {
      await toggle.focus();
      await page.keyboard.press("Space");
      await until("closing the contents", state, false);
    }
    await page.locator("#mdbook-search-toggle").focus();
    await page.keyboard.press("Enter");
    await search(page);
    await inEveryTheme("search open", "#mdbook-search-wrapper");
  });
  await page.context().close();
}

// Looks for a word, key by key: mdBook listens to the keys.
async function search(page) {
  await page.locator("#mdbook-searchbar").pressSequentially("bind");
  await page.locator("#mdbook-searchresults li").first().waitFor();
}

// Everything that can be used can be reached by the Tab key, in the order of the page, and shows that it was.
export async function everyStop(browser, report, server, { path }) {
  const where = `${path}, by the Tab key from beginning to end`;
  const page = await open(browser, report, server, `/${path}`, where);
  await report.part(where, async () => {
    const wanted = await page.evaluate(() => {
      const seen = new Set();
      const all = [...document.querySelectorAll("a[href], button, input, summary")].filter((one) => {
        // A group of choices is one stop.
        if (one.type === "radio") return !seen.has(one.name) && seen.add(one.name);
        return !one.disabled && one.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
      });
      all.forEach((one, at) => { one.dataset.stop = at; });
      return all.map((one) => one.outerHTML.slice(0, 90));
    });
    const reached = new Set();
    const blind = [];
    for (let presses = 0; presses < 3 * wanted.length + 20; presses++) {
      await page.keyboard.press("Tab");
      const stop = await page.evaluate(() => document.activeElement?.dataset?.stop);
      if (stop === undefined) {
        if (reached.size && await page.evaluate(() => document.activeElement === document.body)) break;
        continue;
      }
      if (reached.has(stop)) break;
      reached.add(stop);
      if (!await showsFocus(page)) blind.push(wanted[stop]);
    }
    const missed = wanted.filter((_, at) => !reached.has(String(at)));
    assert.deepEqual(missed.slice(0, 5), [], `the Tab key does not reach ${missed.length} of ${wanted.length}`);
    assert.deepEqual(blind.slice(0, 5), [], `${blind.length} do not show that they have the focus`);
  });
  await page.context().close();
}

// From a file path, as after `cargo workbook build` on a machine without network.
export async function fromFile(browser, report, folder, { path, id }) {
  const where = `${path}, opened as a file`;
  const page = await reader(browser, report, { where });
  await report.part(where, async () => {
    await page.goto(`file://${folder}/${path}`, { waitUntil: "load" });
    const { run, toggle, next, count } = parts(page, id);
    const steps = await run.locator("ol > li[id]").count();
    await uncover(page, id);
    await toggle.click();
    await next.click();
    await until("the player", count, `2 / ${steps}`);
    await page.locator("#mdbook-search-toggle").click();
    await search(page);
  });
  await page.context().close();
}
