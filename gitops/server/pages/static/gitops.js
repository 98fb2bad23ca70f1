// Keys, ages, the icon, and a word when the connection is lost. Everything works without it.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  let selected = -1;

  const rows = () => [...document.querySelectorAll("[data-row]")];
  const select = (index) => {
    const all = rows();
    if (!all.length) return;
    selected = Math.max(0, Math.min(index, all.length - 1));
    all.forEach((row, place) => row.classList.toggle("selected", place === selected));
    const link = all[selected].querySelector("[data-open]");
    if (link) link.focus({ preventScroll: true });
    all[selected].scrollIntoView({ block: "nearest" });
  };
  const within = (selector) => {
    const focused = document.activeElement;
    const cell = focused && focused.closest("td.cell");
    const row = (focused && focused.closest("[data-row]")) || rows()[selected];
    return (cell && cell.querySelector(selector)) || (row && row.querySelector(selector));
  };
  const rollback = () => {
    const focused = document.activeElement;
    const body = focused && focused.closest("a.body");
    const link = within("[data-rollback]");
    if (link) link.click();
    else if (body) location.assign(`${body.pathname}/rollback`);
    else {
      const row = (focused && focused.closest("[data-row]")) || rows()[selected];
      const cells = row ? [...row.querySelectorAll("td.cell a.body")] : [];
      if (cells.length) location.assign(`${cells[cells.length - 1].pathname}/rollback`);
    }
  };
  const help = () => document.getElementById("keys").showModal();

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const field = event.target.closest("input, textarea, select");
    if (field) {
      if (event.key === "Escape") field.blur();
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    const search = document.querySelector("[data-search]");
    if (event.key === "/" && search) { event.preventDefault(); search.focus(); search.select(); }
    else if (event.key === "j") select(selected + 1);
    else if (event.key === "k") select(selected - 1);
    else if (event.key === "r") rollback();
    else if (event.key === "g") location.assign("/");
    else if (event.key === "?") help();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-help]")) help();
  });
  // A form is sent once: a second press waits for the first one's answer.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method === "dialog") return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "1";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.sent;
  });

  const language = root.lang || "en";
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  const lengths = document.body.dataset.ages.split("\n").map((line) => line.split("|"));
  const age = (seconds) => {
    const [length, one, many] = lengths.find(([long]) => seconds >= Number(long) && Number(long)) || lengths[lengths.length - 1];
    const number = Number(length) ? Math.trunc(seconds / length) : 0;
    return (number === 1 ? one : many).replace("%(number)s", number);
  };
  const ages = () => {
    for (const one of document.querySelectorAll("time[datetime]:not([data-exact])")) {
      const then = new Date(one.dateTime);
      const text = age((Date.now() - then) / 1000);
      if (one.textContent !== text) one.textContent = text;
      one.title = exact.format(then);
    }
  };
  const refresh = () => {
    ages();
    const main = document.getElementById("live");
    const icon = document.getElementById("icon");
    if (main && icon) {
      const wanted = icon.href.replace(/favicon-[a-z]+\.svg/, `favicon-${main.dataset.state}.svg`);
      if (icon.href !== wanted) icon.href = wanted;
    }
    if (selected >= 0) rows().forEach((row, place) => row.classList.toggle("selected", place === selected));
  };
  const lost = (yes) => { document.getElementById("lost").hidden = !yes; };
  document.addEventListener("htmx:after:swap", refresh);
  document.addEventListener("htmx:sse:error", () => lost(true));
  document.addEventListener("htmx:sse:after:connection", () => lost(false));
  document.addEventListener("seen", (event) => {
    lost(false);
    const seen = document.getElementById("seen");
    if (seen && event.detail && event.detail.data) {
      const time = new Date(event.detail.data);
      seen.textContent = seen.textContent.replace(/\d{1,2}:\d{2}:\d{2}(\s*UTC)?/, time.toISOString().slice(11, 19) + " UTC");
    }
  });
  // On a phone the pages stand in a row that is wider than it: show the one that is open.
  const nav = document.getElementById("nav");
  const current = nav.querySelector("[aria-current]");
  if (current) nav.scrollLeft = current.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
  setInterval(ages, 20000);
  refresh();
})();
