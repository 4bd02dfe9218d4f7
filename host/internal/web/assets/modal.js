// Pages in a dialog.
import { actionOf, append, body, bootstrap, byId, closest, create, enctypeOf, fetchPiece, find, findAll, has, listen,
  methodOf, page, put } from "./page.js";
import { enhance } from "./select.js";

const modal = byId("modal");
const modalContent = byId("modal-content");
let opener = null;
let scrolled = 0; // how far the page was, before the dialog

async function openModal(link) {
  opener = link;
  link.setAttribute("aria-busy", "true");
  try {
    const piece = await fetchPiece(link.href);
    if (piece !== null) showInModal(piece);
  } catch {
    window.location.assign(link.href); // the same page, whole, or the file that it is
  } finally {
    link.removeAttribute("aria-busy");
  }
}

function showInModal(piece) {
  put(modalContent, piece);
  enhance(modalContent);
  if (!modal.classList.contains("show")) goToBars();
  leaveRoomForBars();
  bootstrap.Modal.getOrCreateInstance(modal).show();
  if (modal.classList.contains("show")) focusFirst();
}

// While the session is switched, a page is shown from its top as long as a dialog is open: the way back is there.
function goToBars() {
  scrolled = window.scrollY;
  if (find(page, "body > .switch-banner")) window.scrollTo({ top: 0, behavior: "instant" });
}

// The banner and the bar with the way back stay above a dialog, which begins below them.
function leaveRoomForBars() {
  const bars = find(page, ".switch-banner") ? findAll(page, ".switch-banner, .page > header.navbar") : [];
  const low = bars.map((bar) => bar.getBoundingClientRect().bottom).reduce((a, b) => Math.max(a, b), 0);
  page.documentElement.style.setProperty("--bars", low + "px");
}

function focusFirst() {
  const fields = ["input:not([type=hidden])", "select", "textarea", "button", "a[href]"];
  const first = find(modalContent, fields.map((selector) => ".modal-body " + selector).join(", "));
  if (!first) return;
  if (first.tomselect) first.tomselect.focus(); else first.focus();
}

// A form in the modal stays there when it is refused, and leaves with the page when it is taken.
async function submitInModal(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || methodOf(form) !== "post") return;
  event.preventDefault();
  const button = event.submitter;
  const data = new FormData(form, button);
  if (button) button.disabled = true;
  const options = { method: "POST", body: enctypeOf(form) === "multipart/form-data" ? data : new URLSearchParams(data) };
  try {
    const piece = await fetchPiece(button && has(button, "formaction") ? button.formAction : actionOf(form), options);
    if (piece !== null) showInModal(piece);
  } catch {
    if (button) button.disabled = false;
    say(form, body.dataset.failed);
  }
}

function say(form, text) {
  let note = find(form, "[data-said]");
  if (!note) {
    note = create("p");
    note.className = "text-danger mt-2";
    note.setAttribute("role", "alert");
    note.dataset.said = "";
    append(form, note);
  }
  note.textContent = text;
}

export function prepareModal() {
  if (!modal || !bootstrap.Modal) return;
  listen(page, "click", (event) => {
    const link = closest(event.target, "a[data-modal]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    openModal(link);
  });
  modal.addEventListener("shown.bs.modal", focusFirst);
  listen(window, "resize", leaveRoomForBars);
  modal.addEventListener("hidden.bs.modal", () => {
    modalContent.replaceChildren();
    window.scrollTo({ top: scrolled, behavior: "instant" });
    if (opener && opener.isConnected) opener.focus();
  });
  modalContent.addEventListener("submit", submitInModal);
}
