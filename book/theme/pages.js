// What mdBook's pages need to be usable by everyone, and what this book adds. Runs after mdBook's own script.
(() => {
  "use strict";

  const storage = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* private mode: not remembered */ } },
    remove(key) { try { localStorage.removeItem(key); } catch { /* as above */ } },
    keys() { try { return Object.keys(localStorage); } catch { return []; } },
  };

  // mdBook's sidebar toggle is a label, which no keyboard reaches: a button takes its place.
  const label = document.querySelector("label#mdbook-sidebar-toggle");
  const box = document.getElementById("mdbook-sidebar-toggle-anchor");
  if (label && box) {
    const button = document.createElement("button");
    button.type = "button";
    button.id = label.id;
    button.className = label.className;
    button.title = label.title;
    button.append(...label.childNodes);
    button.querySelector(".vh")?.remove();
    button.setAttribute("aria-label", "Table of contents");
    button.setAttribute("aria-controls", "mdbook-sidebar");
    const tell = () => button.setAttribute("aria-expanded", String(box.checked));
    button.addEventListener("click", () => {
      // mdBook listens on the label for "about to open", and on the box for "open or closed".
      label.dispatchEvent(new Event("click"));
      box.checked = !box.checked;
      box.dispatchEvent(new Event("change"));
    });
    box.addEventListener("change", tell);
    tell();
    label.replaceWith(button);
  }

  // mdBook acts on single keys wherever the focus is (arrows turn the page, "s" searches). Keys like that must be
  // possible to switch off (WCAG 2.1.4), and here they are off until switched on.
  const shortcuts = () => storage.get("book-shortcuts") === "on";
  const keys = new Set(["ArrowLeft", "ArrowRight", "/", "s", "S", "?"]);
  window.addEventListener("keydown", (event) => {
    if (shortcuts() || !keys.has(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.composedPath()[0];
    if (target instanceof Element && target.closest("input, select, textarea, .player")) return;
    event.stopImmediatePropagation();
  }, true);
  const announced = [...document.querySelectorAll("[aria-keyshortcuts]")]
    .map((element) => [element, element.getAttribute("aria-keyshortcuts")]);
  const place = document.querySelector("#mdbook-menu-bar .left-buttons");
  if (place) {
    const button = document.createElement("button");
    button.type = "button";
    button.id = "shortcuts-toggle";
    button.className = "icon-button";
    button.setAttribute("aria-label", "Keyboard shortcuts");
    button.innerHTML = '<span class="fa-svg"><svg viewBox="0 0 24 20" stroke-width="2" aria-hidden="true">'
      + '<rect x="1" y="3" width="22" height="14" rx="2"/><path d="M5 7h1m3 0h1m3 0h1m3 0h2M5 10h2m3 0h1m3 0h1m3 0h1M8 13h8"/>'
      + '<path class="off" d="M2 19 22 1"/></svg></span>';
    const tell = () => {
      const on = shortcuts();
      button.setAttribute("aria-pressed", String(on));
      button.title = on
        ? "Keyboard shortcuts are on: ← → turn the page, s searches, ? lists them"
        : "Keyboard shortcuts are off";
      for (const [element, keys] of announced) {
        if (on) element.setAttribute("aria-keyshortcuts", keys);
        else element.removeAttribute("aria-keyshortcuts");
      }
    };
    button.addEventListener("click", () => {
      storage.set("book-shortcuts", shortcuts() ? "off" : "on");
      tell();
    });
    tell();
    place.append(button);
  }

  // Registered after mdBook's own, so that the contents are complete by then.
  document.addEventListener("DOMContentLoaded", () => document.documentElement.classList.add("ready"));

  // What scrolls sideways must be reachable by keyboard; what does not, must not be a stop on the way.
  const scrollers = [...document.querySelectorAll("pre > code, pre > samp, .table-wrapper")];
  const measure = () => {
    for (const element of scrollers) {
      const scrolls = element.scrollWidth > element.clientWidth;
      if (scrolls) element.tabIndex = 0;
      else element.removeAttribute("tabindex");
      if (!element.matches(".table-wrapper")) continue;
      if (scrolls) {
        element.setAttribute("role", "region");
        element.setAttribute("aria-label", "Table, wider than the page");
      } else {
        element.removeAttribute("role");
        element.removeAttribute("aria-label");
      }
    }
  };
  const observer = new ResizeObserver(measure);
  for (const element of scrollers) observer.observe(element);
  document.fonts?.ready.then(measure);
  document.addEventListener("toggle", measure, true);

  // Whoever has chosen a language for the code once, has it everywhere.
  const spellings = [...document.querySelectorAll(".spellings")];
  const named = (input) => input.parentElement.textContent.trim();
  const choose = (name) => {
    for (const group of spellings) {
      const input = [...group.querySelectorAll("input")].find((input) => named(input) === name);
      if (input) input.checked = true;
    }
  };
  const chosen = storage.get("book-spelling");
  if (chosen) choose(chosen);
  for (const group of spellings) {
    group.addEventListener("change", (event) => {
      storage.set("book-spelling", named(event.target));
      choose(named(event.target));
      measure();
    });
  }

  // The answers to the predictions stay in this browser, by their words: a question that has changed is asked anew.
  const ANSWER = "book-answer:";
  const forms = [...document.querySelectorAll(".predict")];
  const group = (form) => ANSWER + form.querySelector("input").name;
  const quiet = (className, text, act) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `${className} quiet-button`;
    button.textContent = text;
    button.addEventListener("click", act);
    return button;
  };
  // What happened, which is closed until there is an answer (the script in the page's head has closed it).
  const answers = (form) => [...document.querySelectorAll("after-answer")]
    .filter((one) => one.open && one.dataset.question === form.querySelector("input").name);
  const forget = (wanted) => {
    for (const form of wanted) {
      storage.remove(group(form));
      form.reset();
      for (const folded of form.querySelectorAll("details")) folded.open = false;
      for (const one of answers(form)) one.close();
    }
  };
  // Where a page asks several things, its last question has the button.
  const own = quiet("forget", "Forget my answers on this page", () => {
    forget(forms);
    show();
    forms[0].querySelector("input").focus();
  });
  const show = () => { own.hidden = !forms.some((form) => form.querySelector("input:checked")); };
  for (const form of forms) {
    const inputs = [...form.querySelectorAll("input")];
    const remembered = storage.get(group(form));
    const input = inputs.find((input) => named(input) === remembered);
    if (input) input.checked = true;
    form.addEventListener("change", (event) => {
      storage.set(group(form), named(event.target));
      for (const one of answers(form)) one.open();
      show();
    });
    // Whoever unfolds the answer has it.
    for (const folded of form.querySelectorAll("details")) {
      folded.addEventListener("toggle", () => { if (folded.open) for (const one of answers(form)) one.open(); });
    }
  }
  if (forms.length) {
    forms.at(-1).append(own);
    show();
  }
  // A link to a step opens what it is in. Where the browser has not done that, it has not gone there either.
  window.addEventListener("hashchange", () => {
    const closed = [...document.querySelectorAll("after-answer[hidden]")].find((one) => one.named?.());
    if (!closed) return;
    closed.open();
    document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  });
  // A place in a page that offers to forget the answers of the whole book.
  for (const place of document.querySelectorAll(".forget-all")) {
    const heard = document.createElement("span");
    heard.setAttribute("role", "status");
    place.append(quiet("", "Forget my answers in the whole book", () => {
      for (const key of storage.keys()) if (key.startsWith(ANSWER)) storage.remove(key);
      forget(forms);
      show();
      heard.textContent = "Forgotten.";
    }), " ", heard);
  }
})();
