// The trace player: steps through a recorded run, and shows what the kernel held after each call.
// A recorded run stands in the page as a list of lines; this adds a player above the list when it is asked for.
// All that it shows comes from the recording, which the page has in a <script type="application/json"> in the same section.
(() => {
  "use strict";

  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key in made && key !== "list") made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  };
  const plural = (count, one, many = one + "s") => `${count} ${count === 1 ? one : many}`;
  const ROLES = { client: "C", server: "S" };

  // What the page says of each step: its line, who made it, and the kernel's state, carried on where nothing changed.
  function read(section) {
    const data = JSON.parse(section.querySelector("script[type='application/json']").textContent);
    const lines = [...section.querySelectorAll("ol > li[id]")];
    let kernel = { descriptors: [], sockets: [] };
    return data.steps.map((step, at) => {
      const before = kernel;
      kernel = step.kernel ?? kernel;
      const role = Object.keys(ROLES).find((role) => lines[at].classList.contains(role)) ?? "";
      return { ...step, at, line: lines[at], id: lines[at].id, role, before, kernel, ends: data.ends };
    });
  }

  const place = (address) => {
    if (!address) return "";
    switch (address.family) {
      case "inet": return `${address.ip}:${address.port}`;
      case "inet6": return `[${address.ip}]:${address.port}`;
      case "unix": {
        if (address.name === "unnamed") return "";
        const [[kind, bytes]] = Object.entries(address.name);
        return (kind === "abstract" ? "@" : "") + String.fromCharCode(...bytes);
      }
      default: return "";
    }
  };
  const unbound = (address) => !place(address) || /^(0\.0\.0\.0|\[::\]):0$/.test(place(address));
  const role = (step, number) => step.ends[number] ?? "";
  const badge = (name) => name ? element("span", { className: `end ${name}`, title: name }) : null;

  // Who has a socket: "fd 3", "fd 3 and 5", with the process's number where there are several.
  function owners(step, number) {
    const processes = new Set(step.kernel.descriptors.map((descriptor) => descriptor.pid));
    const names = step.kernel.descriptors
      .filter((descriptor) => descriptor.socket === number)
      .map((descriptor) => (processes.size > 1 ? `fd ${descriptor.fd} of ${descriptor.pid}` : `fd ${descriptor.fd}`));
    return names.length ? names.join(" and ") : "no descriptor";
  }

  // The kernel's sockets in groups, each of them a card: the listening ones, the connections with both ends, the rest. What
  // the kernel held is the same object in all steps that did not change it, and is put into groups once.
  const grouped = new WeakMap();
  function groups(kernel, ends) {
    if (!grouped.has(kernel)) grouped.set(kernel, group(kernel.sockets, (number) => ends[number] === "client"));
    return grouped.get(kernel);
  }
  function group(sockets, isClient) {
    const done = new Set();
    const found = [];
    for (const socket of sockets) {
      if (done.has(socket)) continue;
      done.add(socket);
      if (socket.state === "LISTEN") {
        const guests = sockets.filter((other) => other.waits_at === socket.socket);
        found.push({ key: `listener ${socket.socket}`, kind: "listener", ends: [socket], guests });
        continue;
      }
      const other = sockets.find((other) => !done.has(other) && socket.peer && other.peer
        && place(other.local) === place(socket.peer) && place(other.peer) === place(socket.local));
      if (other) done.add(other);
      const ends = other ? [socket, other] : [socket];
      ends.sort((one, two) => isClient(two.socket) - isClient(one.socket));
      const numbers = ends.map((end) => end.socket ?? 0).sort((one, two) => one - two);
      found.push({ key: `socket ${numbers.find(Boolean) ?? place(socket.local)}`, kind: socket.peer ? "connection" : "socket", ends });
    }
    return found;
  }

  function state(socket) {
    if (socket.state) return socket.state;
    return unbound(socket.local) ? "not bound" : "bound";
  }

  function waiting(socket) {
    if (socket.unread === undefined) return "";
    return socket.unread ? `${plural(socket.unread, "byte")} unread` : "nothing unread";
  }

  // One end of a connection, or a socket by itself.
  function end(step, socket) {
    const who = socket.socket ? owners(step, socket.socket) : "waits to be accepted: no descriptor yet";
    const bar = socket.unread
      ? element("span", { className: "queue", "aria-hidden": "true" }, element("i", { style: `inline-size: ${Math.min(100, 8 + 12 * Math.log2(socket.unread))}%` }))
      : null;
    return element("div", { className: "socket-end" },
      element("p", {}, badge(role(step, socket.socket)), element("b", {}, unbound(socket.local) ? "no address" : place(socket.local)),
        " ", element("span", { className: "state" }, state(socket))),
      element("p", { className: "quiet" }, [who, waiting(socket)].filter(Boolean).join(" · ")), bar);
  }

  function chairs(listener) {
    const count = (listener.backlog ?? -1) + 1;
    if (count < 1 || count > 12) return null;
    const row = element("span", { className: "chairs", "aria-hidden": "true" });
    for (let chair = 0; chair < Math.max(count, listener.queued); chair++) row.append(element("i", { className: chair < listener.queued ? "taken" : "" }));
    return row;
  }

  function card(step, { kind, ends, guests }) {
    const inside = [];
    const title = { listener: "listens", connection: ends.length > 1 ? "connection" : "one end of a connection", socket: "" }[kind];
    if (kind === "listener") {
      const [listener] = ends;
      inside.push(end(step, listener));
      if (listener.queued !== undefined) {
        const room = listener.backlog === undefined ? "" : ` of ${listener.backlog + 1} places`;
        inside.push(element("p", {}, `accept queue: ${listener.queued}${room} taken`), chairs(listener));
      }
      if (guests.some((guest) => guest.state === "SYN_RECV")) inside.push(element("p", { className: "quiet" }, "a handshake is under way"));
    } else {
      inside.push(...ends.map((socket) => end(step, socket)));
    }
    const left = ends.every((socket) => socket.socket && !step.kernel.descriptors.some((one) => one.socket === socket.socket));
    if (left) inside.push(element("p", { className: "quiet" }, "left over: no process has it, the kernel ends it by itself"));
    return element("div", { className: `card ${kind}${left ? " leftover" : ""}` },
      title ? element("p", { className: "kind" }, title) : null, ...inside);
  }

  // The cards of a step, with marks on those that are not what they were, and on the one that has the port that was refused.
  function cards(step) {
    const before = new Map(groups(step.before, step.ends).map((one) => [one.key, one]));
    const picture = (kernel, one) => JSON.stringify([one.ends, one.guests ?? [],
      kernel.descriptors.filter(({ socket }) => one.ends.some((end) => end.socket === socket))]);
    const port = step.line.querySelector(".errno")?.textContent === "EADDRINUSE"
      && /port=htons\((\d+)\)/.exec(step.line.textContent)?.[1];
    return groups(step.kernel, step.ends).map((one) => {
      const made = card(step, one);
      const mark = (name, words) => {
        made.classList.add(name);
        made.append(element("p", { className: "mark" }, words));
      };
      const was = before.get(one.key);
      if (!was) mark("changed", "◆ new");
      else if (picture(step.before, was) !== picture(step.kernel, one)) mark("changed", "◆ changed");
      if (port && one.ends.some((socket) => socket.socket !== step.socket && socket.local?.port === Number(port))) mark("guilty", "✗ has this port");
      return made;
    });
  }

  // A process's side: its descriptors of sockets, and the calls that it has made.
  function side(steps, step, name, roles) {
    const mine = (number) => roles.includes(role(step, number));
    const rows = step.kernel.descriptors.filter((one) => mine(one.socket));
    const several = new Set(step.kernel.descriptors.map((one) => one.pid)).size > 1;
    const table = rows.length
      ? element("ul", { className: "fds" }, ...rows.map((one) => {
        const socket = step.kernel.sockets.find((socket) => socket.socket === one.socket);
        return element("li", {}, element("b", {}, `${one.fd}`), ` ${socket ? state(socket) : ""}`, several ? element("span", { className: "quiet" }, ` in ${one.pid}`) : null);
      }))
      : element("p", { className: "quiet" }, "no socket");
    const calls = steps.slice(0, step.at + 1).filter((one) => roles.includes(one.role));
    const recent = calls.slice(-7);
    const list = element("ul", { className: "calls" }, ...(calls.length > recent.length ? [element("li", { className: "quiet" }, `… ${calls.length - recent.length} before`)] : []),
      ...recent.map((one) => element("li", { className: one === step ? "now" : "" },
        element("span", {}, one.line.querySelector(".call b")?.textContent ?? one.line.textContent.trim().slice(0, 24)),
        element("span", {}, one.line.querySelector(".errno")?.textContent ?? one.line.querySelector(".ret b")?.textContent ?? ""))));
    return element("div", { className: `side ${roles[0] || "program"}${roles.includes(step.role) ? " acts" : ""}` },
      element("p", { className: "who-title" }, badge(roles[0]), name),
      element("p", { className: "label" }, "descriptors"), table,
      element("p", { className: "label" }, "calls so far"), calls.length ? list : element("p", { className: "quiet" }, "none"));
  }

  const time = (microseconds) => microseconds < 1000 ? `${microseconds} µs` : `${(microseconds / 1000).toFixed(1)} ms`;

  // The step in words, for those who hear the page.
  function words(step, count) {
    const call = step.line.querySelector("samp").textContent.replace(/\s+/g, " ").trim();
    const sockets = step.kernel.sockets.map((socket) => {
      const name = unbound(socket.local) ? "a socket without address" : place(socket.local);
      return [name, state(socket), socket.waits_at ? "waits to be accepted" : "",
        socket.queued !== undefined ? `${socket.queued} waiting` : "", socket.unread ? `${socket.unread} bytes unread` : ""].filter(Boolean).join(" ");
    });
    return `Step ${step.at + 1} of ${count}${step.role ? `, ${step.role}` : ""}: ${call}. `
      + (step.kernel.hidden ? "" : `The kernel holds: ${sockets.join("; ") || "no socket"}.`);
  }

  function player(section) {
    const steps = read(section);
    const columns = new Set(steps.flatMap((step) => [step.role, ...Object.values(step.ends)]));
    const both = columns.has("client") && columns.has("server");
    const last = steps.length - 1;
    let now = 0;

    const button = (className, label, sign, act) => {
      const made = element("button", { type: "button", className }, element("span", { "aria-hidden": "true" }, sign), label ? ` ${label}` : "");
      made.addEventListener("click", act);
      return made;
    };
    const first = button("first", "", "⇤", () => go(0));
    first.setAttribute("aria-label", "First step");
    const back = button("back", "Back", "◂", () => go(now - 1));
    const next = button("next", "Next", "▸", () => go(now + 1));
    const slider = element("input", { type: "range", min: 0, max: last, step: 1, value: 0, "aria-label": "Step" });
    slider.addEventListener("input", () => go(Number(slider.value)));
    const marks = element("span", { className: "marks", "aria-hidden": "true" },
      ...steps.map((step) => element("i", { className: `${step.role} ${step.line.classList.contains("failed") ? "failed" : ""}`, style: `--at: ${last ? step.at / last : 0.5}` })));
    const count = element("span", { className: "count" });
    const bar = element("div", { className: "bar" }, first, back, next, element("span", { className: "scrub" }, marks, slider), count);
    const call = element("div", { className: "now-call" });
    const heard = element("p", { className: "vh", role: "status" });
    const stage = element("div", { className: `stage${both ? " both" : ""}` });
    const box = element("div", { className: "player", role: "group", "aria-label": `Step by step: ${section.id}` }, bar, call, heard, stage);

    function go(step) {
      now = Math.min(Math.max(step, 0), last);
      const shown = steps[now];
      show(shown);
      history.replaceState(history.state, "", `#${shown.id}`);
    }

    function show(step) {
      slider.value = step.at;
      slider.setAttribute("aria-valuetext", `${step.at + 1} of ${steps.length}`);
      count.textContent = `${step.at + 1} / ${steps.length}`;
      for (const [made, ended] of [[first, step.at === 0], [back, step.at === 0], [next, step.at === last]]) made.setAttribute("aria-disabled", String(ended));
      [...marks.children].forEach((one, at) => { one.classList.toggle("done", at <= step.at); one.classList.toggle("now", at === step.at); });
      for (const one of steps) one.line.classList.toggle("now", one === step);
      call.className = `now-call ${step.role}${step.line.classList.contains("failed") ? " failed" : ""}`;
      const line = step.line.querySelector("samp").cloneNode(true);
      call.replaceChildren(...[badge(step.role), line].filter(Boolean),
        element("p", { className: "quiet" }, `begun ${time(step.at_us)} after the start, took ${time(step.took_us)}`));
      const made = step.kernel.hidden
        ? [element("p", {}, "This machine did not let the observer look.")]
        : cards(step);
      const kernel = element("div", { className: "kernel" },
        element("p", { className: "who-title" }, element("span", { className: "end kernel" }), "kernel", element("span", { className: "quiet" }, " after this call")),
        ...(made.length ? made : [element("p", { className: "quiet" }, "no socket")]));
      stage.replaceChildren(...(both
        ? [side(steps, step, "client", ["client", ""]), kernel, side(steps, step, "server", ["server"])]
        : [side(steps, step, "program", ["", "client", "server"]), kernel]));
      heard.textContent = words(step, steps.length);
    }

    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const moves = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: last };
      if (event.key in moves) {
        event.stopPropagation();
        // The slider moves by itself.
        if (event.target === slider) return;
        event.preventDefault();
        go(moves[event.key]);
      } else if (event.key === " " && event.target !== slider && !(event.target instanceof HTMLButtonElement)) {
        event.preventDefault();
        go(now + 1);
      }
    });
    return { box, next, go, show: (step) => show(steps[now = step]), count: steps.length };
  }

  // Which step of a run the address names, counted from 0; -1 if it names none of this run.
  function stepIn(id) {
    let name;
    try { name = decodeURIComponent(location.hash.slice(1)); } catch { return -1; }
    const [, run, step] = /^(.*)@(\d+)$/.exec(name) ?? [];
    return run === id ? Number(step) - 1 : -1;
  }

  // A button for each recorded run; the player is made when it is first wanted, at the step that the address names.
  const players = new Map();
  for (const section of document.querySelectorAll("section.trace")) {
    if (!section.querySelector("script[type='application/json']")) continue;
    const label = [...section.querySelectorAll(":scope > .label, :scope > after-answer > .label")].at(-1);
    const toggle = element("button", { type: "button", className: "step-through", "aria-expanded": "false" }, "Step through it");
    let made = null;
    const open = (wanted) => {
      if (!made && wanted) {
        made = player(section);
        label.after(made.box);
        const here = stepIn(section.id);
        made.show(here >= 0 && here < made.count ? here : 0);
      }
      if (made) made.box.hidden = !wanted;
      toggle.setAttribute("aria-expanded", String(wanted));
      toggle.textContent = wanted ? "Close the player" : "Step through it";
      if (!wanted) for (const line of section.querySelectorAll("li.now")) line.classList.remove("now");
      return made;
    };
    toggle.addEventListener("click", () => {
      const wanted = toggle.getAttribute("aria-expanded") !== "true";
      open(wanted)?.next.focus();
    });
    label.append(toggle);
    players.set(section.id, open);
  }

  // A link to a step shows it in its player, if that is open.
  window.addEventListener("hashchange", () => {
    for (const [id, open] of players) {
      const step = stepIn(id);
      if (step < 0 || !document.getElementById(id).querySelector(".player:not([hidden])")) continue;
      const made = open(true);
      if (step < made.count) made.show(step);
    }
  });
})();
