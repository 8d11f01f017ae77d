// Keeps the page fresh: an event says that something changed, then the part of
// the page that changes is fetched anew. Without this script the page reloads
// itself, and its forms work as they are.
"use strict";
(() => {
  const board = document.getElementById("board");
  const live = document.getElementById("live");
  let seen = new Set([...board.querySelectorAll("[data-card]")].map((e) => e.dataset.card));
  let loading = false;
  let again = false;

  const say = (state, text) => {
    live.className = "live " + state;
    live.textContent = text;
  };

  async function load() {
    if (loading) {
      again = true;
      return;
    }
    loading = true;
    try {
      const answer = await fetch("phones/board", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      put(await answer.text());
    } catch {
      say("off", "not reachable, trying again");
    }
    loading = false;
    if (again) {
      again = false;
      load();
    }
  }

  // put shows the new board: escaped by the server, and without losing where
  // somebody had scrolled to or what had the focus.
  function put(html) {
    const scrolled = [...board.querySelectorAll(".cards")].map((e) => e.scrollTop);
    const focus = document.activeElement?.closest?.("form")?.getAttribute("action");
    const value = document.activeElement?.value;
    board.innerHTML = html;
    board.querySelectorAll(".cards").forEach((e, i) => (e.scrollTop = scrolled[i] ?? 0));
    const cards = [...board.querySelectorAll("[data-card]")];
    for (const card of cards) {
      if (!seen.has(card.dataset.card)) card.classList.add("new");
    }
    seen = new Set(cards.map((e) => e.dataset.card));
    if (focus) {
      const same = [...board.querySelectorAll("form")].filter((f) => f.getAttribute("action") === focus);
      for (const button of same.flatMap((f) => [...f.querySelectorAll("button")])) {
        if (button.value === value) button.focus({ preventScroll: true });
      }
    }
  }

  board.addEventListener("submit", async (event) => {
    event.preventDefault();
    const action = event.submitter?.value ?? "";
    try {
      await fetch(event.target.getAttribute("action"), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(action ? { action } : {}),
      });
    } catch {
      say("off", "not reachable");
    }
    load();
  });

  const events = new EventSource("phones/events");
  events.addEventListener("change", load);
  events.addEventListener("open", () => say("on", "live"));
  events.addEventListener("error", () => say("off", "not reachable, trying again"));

  // "now" becomes "1 min", and the clocks go on.
  setInterval(load, 20000);
})();
