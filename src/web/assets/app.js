// Refreshes the parts of a page that are marked with data-live, and shows times in the reader's zone.
"use strict";
(() => {
  const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const localize = (root) => {
    for (const time of root.querySelectorAll("time[data-zone]")) {
      const at = new Date(time.dateTime);
      if (!isNaN(at)) time.textContent = zoned.format(at);
    }
  };

  // A part in use keeps its state: a focused field, a selected row, an open detail.
  const inUse = (part) =>
    part.contains(document.activeElement) || part.querySelector("input:checked, details[open]");

  const stale = document.getElementById("stale");
  const refresh = async () => {
    const parts = [...document.querySelectorAll("[data-live]")].filter((part) => !inUse(part));
    if (!parts.length || document.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (!answer.ok) throw answer.status;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of [...parts, document.querySelector("footer time")]) {
        const twin = part.id ? fresh.getElementById(part.id) : fresh.querySelector("footer time");
        if (!twin) continue;
        localize(twin.parentNode);
        if (part.outerHTML !== twin.outerHTML) part.replaceWith(document.adoptNode(twin));
      }
      stale.textContent = "";
    } catch {
      stale.textContent = "The page is not up to date: the daemon does not answer.";
    }
  };

  // One request at a time, and none in a hidden tab.
  const seconds = Number(document.querySelector("[data-every]")?.dataset.every || 0);
  let timer;
  const loop = async () => {
    clearTimeout(timer);
    await refresh();
    if (seconds && !document.hidden) timer = setTimeout(loop, seconds * 1000);
  };
  if (seconds) {
    timer = setTimeout(loop, seconds * 1000);
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : loop()));
  }

  // A box in the head of a table checks every row below it; without this script each row has its own.
  for (const all of document.querySelectorAll("input[data-all]")) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const box of document.querySelectorAll(`input[name="${all.dataset.all}"]`)) box.checked = all.checked;
    });
  }

  localize(document);
})();
