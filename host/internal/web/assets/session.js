// Who this browser is now: its time zone, the time left, the other tabs.
import { body, byId, find, page } from "./page.js";

// The time zone.

// The time zone travels in a cookie, so that the next page writes times as this machine does.
export function tellZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const cookie = "understudy_zone=" + encodeURIComponent(zone);
  const jar = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
  if (jar.get.call(page).split("; ").includes(cookie)) return;
  jar.set.call(page, cookie + "; path=" + (body.dataset.base || "") + "/; max-age=31536000; samesite=lax");
}

// The time left of a switch.

export function countDown(span) {
  const until = Number(span.dataset.until);
  const status = find(page, "[data-countdown]");
  let said = Infinity;
  function tick() {
    const minutes = Math.ceil((until - Date.now()) / 60000);
    const text = minutes <= 1 ? span.dataset.last : span.dataset.left.replace("#", minutes);
    if (span.textContent !== text) span.textContent = text;
    for (const mark of [5, 1]) {
      if (minutes <= mark && said > mark) {
        if (minutes === mark || said !== Infinity) status.textContent = text;
        said = mark;
      }
    }
    if (minutes <= 0) return; // the server ends it at the next request
    setTimeout(tick, 1000 * (minutes <= 6 ? 1 : 15));
  }
  tick();
}

// Other tabs.

// Every page says who this browser is now; a page of somebody else must not act any more.
export function watchTabs() {
  const dialog = byId("changed");
  if (!window.BroadcastChannel || !dialog) return;
  const channel = new BroadcastChannel("understudy" + (body.dataset.base || ""));
  const mine = { subject: body.dataset.subject, name: body.dataset.name, session: Number(body.dataset.session), version: Number(body.dataset.version) };
  channel.onmessage = ({ data }) => {
    if (data.subject === mine.subject && data.session === mine.session) return;
    if (data.session === mine.session && data.version < mine.version) return channel.postMessage(mine); // an old page came late
    find(dialog, "[data-name]").textContent = data.name;
    find(dialog, "[data-signed-in]").hidden = !data.subject;
    find(dialog, "[data-signed-out]").hidden = Boolean(data.subject);
    if (!dialog.open) dialog.showModal();
  };
  channel.postMessage(mine);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  find(dialog, "[data-reload]").addEventListener("click", () => window.location.reload());
}

// A page out of the browser's memory may be somebody else's by now. It goes there blank, so that
// nothing of it is seen before it has been asked for anew.
window.addEventListener("pagehide", (event) => {
  if (event.persisted) page.documentElement.classList.add("gone");
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
