// Copy, theme, keys, dialogs, toasts and the live stream. Pages work without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const year = "; path=/; max-age=31536000; samesite=lax";
  root.classList.add("script");

  // Times are shown in the browser's zone until the person chooses one.
  document.cookie = "pilot-zone=" + Intl.DateTimeFormat().resolvedOptions().timeZone + year;

  async function copy(button) {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("done");
    say(button.getAttribute("aria-label").replace("Copy", "Copied"));
    setTimeout(() => button.classList.remove("done"), 2000);
  }

  // Speaks without showing: the region is on the page from the start.
  function say(text) {
    const line = document.createElement("p");
    line.className = "sr";
    line.textContent = text;
    document.getElementById("live").append(line);
    setTimeout(() => line.remove(), 5000);
  }

  function choose(button) {
    root.dataset.theme = button.value;
    document.cookie = "pilot-theme=" + button.value + year;
    for (const other of button.parentElement.children) {
      other.setAttribute("aria-pressed", String(other === button));
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-dialog], [data-themes] button");
    if (!button || event.ctrlKey || event.metaKey) return;
    const dialog = button.dataset.dialog && document.getElementById(button.dataset.dialog);
    if (button.dataset.copy !== undefined) copy(button);
    else if (dialog) dialog.showModal();
    else if (button.name === "theme") choose(button);
    else return;
    event.preventDefault();
  });

  // The menu of narrow windows closes when the focus goes elsewhere.
  const menu = document.querySelector("details.menu");
  menu?.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });

  // Keys: never in fields, never with modifiers.
  const places = { o: "/", a: "/agents", e: "/executions", p: "/approvals", c: "/costs", u: "/audit", s: "/system-config" };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu) menu.open = false;
    const typing = event.target.closest("input, select, textarea, dialog, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = event.timeStamp - going < 1500 && places[event.key];
    going = event.key === "g" ? event.timeStamp : 0;
    if (place && document.querySelector('nav a[href="' + place + '"]')) location.assign(place);
    else if (event.key === "?") document.getElementById("keys")?.showModal();
    else if (event.key === "/") {
      const field = document.querySelector(".filters input:not([type=hidden])");
      if (!field) return;
      event.preventDefault();
      field.focus();
    }
  });

  // Confirmations go after 10 seconds, not while somebody is on them. Errors are never toasts.
  function age(toast) {
    setTimeout(() => (toast.matches(":hover, :focus-within") ? age(toast) : toast.remove()), 10000);
  }
  const live = document.getElementById("live");
  live.querySelectorAll(".toast").forEach(age);
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) if (node.matches?.(".toast")) age(node);
    }
  }).observe(live, { childList: true });

  // An error stays until something else is asked for, and comes into view.
  const alarm = document.getElementById("alert");
  const stream = document.getElementById("stream"); // tells in its badge how it is
  new MutationObserver(() => {
    if (alarm.firstElementChild) alarm.scrollIntoView({ block: "nearest" });
  }).observe(alarm, { childList: true });

  // What a request of htmx will change: busy while it lasts, stale once it has failed.
  const asked = new WeakMap();
  function on(name, act) {
    document.addEventListener("htmx:" + name, (event) => {
      const ctx = event.detail.ctx;
      if (ctx && ctx.sourceElement !== stream) act(ctx, event);
    });
  }
  const repeats = (ctx) => ctx.sourceEvent?.type === "every";
  on("before:request", (ctx) => {
    const target = ctx.target;
    if (!repeats(ctx)) alarm.replaceChildren();
    asked.set(ctx, { target, mark: setTimeout(() => target.setAttribute("aria-busy", "true"), 300) });
  });
  on("finally:request", (ctx) => {
    clearTimeout(asked.get(ctx)?.mark);
    asked.get(ctx)?.target.removeAttribute("aria-busy");
  });

  // Pilot's own answers differ by what htmx asks for and say so; one of a proxy is never shown.
  on("before:response", (ctx, event) => {
    const { status, headers } = ctx.response;
    const marks = asked.get(ctx).target.classList;
    if (!/hx-request-type/i.test(headers.get("Vary"))) {
      event.preventDefault();
      fail(ctx);
    } else if (status < 400) {
      if (repeats(ctx) && marks.contains("stale")) alarm.replaceChildren();
      marks.remove("stale");
    } else if (ctx.hx.retarget) marks.add("stale");
  });
  on("error", fail);
  function fail(ctx) {
    asked.get(ctx)?.target.classList.add("stale");
    if (repeats(ctx) && alarm.firstElementChild) return;
    const note = document.getElementById("no-answer").content.firstElementChild.cloneNode(true);
    note.querySelector("button").addEventListener("click", () => {
      document.getElementById("main").focus({ preventScroll: true }); // the button goes
      htmx.ajax(ctx.request.method, ctx.request.action, { source: ctx.sourceElement });
    });
    alarm.replaceChildren(note);
  }

  // A field tells twice what was typed, as it is typed and as it is left: one step back for both.
  document.addEventListener("htmx:before:history:update", (event) => {
    if (event.detail.history.path === location.pathname + location.search) event.preventDefault();
  });

  // One stream a page. A tab opened in the background must not connect: browsers allow six.
  function connect() {
    if (!stream || document.hidden || stream.hasAttribute("hx-sse:connect")) return;
    stream.setAttribute("hx-sse:connect", stream.dataset.stream);
    htmx.process(stream);
  }
  let silence = 0;
  function show(state) {
    const badge = document.querySelector("[data-live]");
    if (!badge) return;
    badge.dataset.live = state;
    badge.querySelector(".word").textContent = state;
    clearTimeout(silence);
    if (state === "live") silence = setTimeout(show, 40000, "reconnecting");
  }
  stream?.addEventListener("htmx:sse:after:connection", () => show("live"));
  stream?.addEventListener("htmx:sse:after:message", () => show("live"));
  stream?.addEventListener("htmx:sse:error", () => show("reconnecting"));
  stream?.addEventListener("htmx:sse:close", () => show("off"));
  stream?.addEventListener("delayed", () => show("delayed"));
  document.addEventListener("visibilitychange", () => {
    if (stream && document.hidden) show("paused");
    connect();
  });
  document.addEventListener("DOMContentLoaded", () => setTimeout(connect));
})();
