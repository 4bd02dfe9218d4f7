// Shortcuts and the copy button.
import { byId, closest, find, listen, page } from "./page.js";

// Alt+Shift and a letter press the item of the bar that names them. Not where they write a
// character: AltGr, or a layout that writes with Alt, in a field.
function letterOf(event) {
  if (!event.altKey || !event.shiftKey || event.ctrlKey || event.metaKey || event.repeat || event.isComposing || event.getModifierState("AltGraph")) return "";
  const typed = (event.key || "").toUpperCase(); // a browser that fills a form in sends none
  if (/^[A-Z]$/.test(typed)) return typed;
  const typing = event.target instanceof Element && closest(event.target, "input, textarea, select, [contenteditable]");
  const code = /^Key([A-Z])$/.exec(event.code); // other scripts, and layouts that write with Alt
  return code && !typing ? code[1] : "";
}

listen(page, "keydown", (event) => {
  const letter = letterOf(event);
  const item = letter && find(page, '.bar [aria-keyshortcuts="Alt+Shift+' + letter + '"]');
  if (!item || (find(page, "dialog[open], .modal.show") && !closest(item, "form"))) return; // the way back works always
  event.preventDefault();
  item.click();
});

listen(page, "click", async (event) => {
  const button = closest(event.target, "[data-copy]");
  if (!button) return;
  const copied = byId(button.dataset.copy);
  copied.select();
  try {
    await navigator.clipboard.writeText(copied.value);
    button.textContent = button.dataset.copied;
  } catch {
    // selected, it can be copied by hand
  }
});
