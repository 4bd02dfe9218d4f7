// The upload of a module package, with its progress.
import { actionOf, body, byId, closest, field, find, findAll, parse, put } from "./page.js";
import { enhance } from "./select.js";

export function prepareUpload(form) {
  const file = find(form, "input[type=file]");
  const box = find(form, "[data-progress]");
  const bar = find(box, "progress");
  const text = find(box, "[data-progress-text]");
  const wrong = find(form, "[data-upload-error]");
  const review = byId("review");
  let request = null;

  const refuse = (message) => { wrong.textContent = message; box.hidden = true; file.value = ""; file.disabled = false; };

  function send() {
    const chosen = file.files[0];
    if (!chosen) return;
    wrong.textContent = "";
    review.replaceChildren();
    if (!/\.zip$/i.test(chosen.name)) return refuse(form.dataset.onlyZip);
    if (chosen.size > Number(form.dataset.max)) return refuse(form.dataset.tooBig.replace("#", (chosen.size / 1048576).toFixed(1) + " MiB"));
    const data = new FormData(form);
    request = new XMLHttpRequest();
    request.open("POST", actionOf(form));
    request.setRequestHeader("X-Modal", "1");
    request.setRequestHeader("X-Form-Token", field(form, "form_token").value);
    request.upload.onprogress = (event) => {
      if (!event.lengthComputable) return;
      bar.value = (100 * event.loaded) / event.total;
      text.textContent = Math.round(bar.value) + " %";
    };
    request.upload.onload = () => { text.textContent = form.dataset.sent; };
    request.onload = () => {
      box.hidden = true;
      file.disabled = false;
      const location = request.getResponseHeader("X-Location");
      if (location) return window.location.assign(location);
      let piece;
      try {
        piece = parse(request.responseText, request.getResponseHeader("X-Piece"));
      } catch {
        return refuse(request.status === 413 ? form.dataset.between : body.dataset.failed); // a server between us said so
      }
      findAll(piece, "[data-bs-dismiss]").forEach((button) => button.remove());
      put(review, piece);
    enhance(review);
      review.focus();
      file.value = "";
    };
    request.onerror = () => refuse(body.dataset.failed);
    request.onabort = () => refuse(form.dataset.cancelled);
    bar.value = 0;
    box.hidden = false;
    file.disabled = true;
    request.send(data);
  }

  file.addEventListener("change", send);
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  find(box, "[data-cancel]").addEventListener("click", () => request && request.abort());
  const zone = closest(form, ".card");
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("dropping"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("dropping"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("dropping");
    if (file.disabled || !event.dataTransfer.files.length) return;
    file.files = event.dataTransfer.files;
    send();
  });
}
