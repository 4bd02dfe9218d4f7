// Lists that search while one types, and a log that is followed.
import { actionOf, byId, fetchPiece, find, findAll, isHidden, listen, page, parse } from "./page.js";

// The search of a list shows what it finds while one types, and keeps it in the address.
export function prepareSearch(form) {
  const pause = 300;
  let timer = 0, turn = 0;

  async function show() {
    clearTimeout(timer);
    const mine = ++turn;
    const address = new URL(actionOf(form));
    address.search = new URLSearchParams(new FormData(form));
    try {
      const piece = await fetchPiece(address);
      if (mine !== turn || piece === null) return;
      byId("rows").replaceWith(find(piece, "#rows"));
      if (!history.state) history.replaceState({ list: true }, "");
      if (address.href !== window.location.href) history.pushState({ list: true }, "", address);
    } catch {
      window.location.assign(address); // the same list as a page of its own
    }
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
  form.addEventListener("change", show);
  find(form, ".list-term").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, pause);
  });
}

window.addEventListener("popstate", (event) => {
  if (event.state && event.state.list) window.location.reload();
});

// Following a module's log.

// Asks for what is newer than the newest line shown, with the page's filters, while somebody looks.
export function prepareFollow(box) {
  const every = 2000, announceEvery = 10000, tiredAfter = 30 * 60000, most = 500;
  const control = find(box, "input");
  const said = find(box, "[data-follow-said]");
  let timer = 0, turn = 0, until = 0, fresh = 0, announced = 0;

  const lines = (root) => findAll(root, "#rows tr[data-line]");
  const newest = () => lines(page).map((row) => Number(row.dataset.line)).reduce((a, b) => Math.max(a, b), 0);

  function address() {
    const asked = new URL(window.location.href);
    asked.searchParams.delete("after");
    asked.searchParams.set("since", newest());
    asked.hash = "";
    return asked;
  }

  function stop(text) {
    clearTimeout(timer);
    turn++;
    control.checked = false;
    said.textContent = text;
  }

  function show(piece) {
    const shown = find(page, "#rows tbody");
    const found = lines(piece);
    if (!found.length) return;
    if (shown) shown.prepend(...found); else byId("rows").replaceWith(find(piece, "#rows"));
    lines(page).slice(most).forEach((row) => row.remove());
    fresh += found.filter((row) => row.dataset.line).length;
  }

  // A flood of lines must not become a flood of words.
  function announce() {
    if (!fresh || Date.now() - announced < announceEvery) return;
    said.textContent = box.dataset.new.replace("#", fresh);
    fresh = 0;
    announced = Date.now();
  }

  async function poll(mine) {
    if (Date.now() > until) return stop(box.dataset.tired);
    if (!isHidden(page)) {
      try {
        const asked = address();
        const response = await fetch(asked, { credentials: "same-origin", redirect: "error", headers: { "X-Modal": "1" } });
        if (!response.ok || response.status === 204) throw new Error("no lines");
        const piece = parse(await response.text(), response.headers.get("X-Piece"));
        if (!find(piece, "#rows")) throw new Error("no list");
        if (mine !== turn) return;
        if (asked.href === address().href) show(piece); // else the filters have changed meanwhile
        announce();
      } catch {
        if (mine === turn) stop(box.dataset.failed);
        return;
      }
    }
    timer = setTimeout(poll, every, mine);
  }

  control.addEventListener("change", () => {
    if (!control.checked) return stop(box.dataset.stopped);
    until = Date.now() + tiredAfter;
    fresh = 0;
    announced = Date.now();
    said.textContent = box.dataset.following;
    poll(++turn);
  });
  listen(page, "visibilitychange", () => {
    if (isHidden(page) || !control.checked) return;
    clearTimeout(timer);
    poll(++turn);
  });
  control.checked = false; // browsers remember it over a reload
  box.hidden = false;
}
