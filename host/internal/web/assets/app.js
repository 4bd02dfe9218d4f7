// What pages do beyond plain HTML. Every page also works without this file.
"use strict";
(() => {
  const body = document.body;
  const bootstrap = window.bootstrap || (window.tabler && (window.tabler.bootstrap || window.tabler)) || {};

  // The time zone travels in a cookie, so that the next page writes times as this machine does.
  function tellZone() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    const cookie = "understudy_zone=" + encodeURIComponent(zone);
    if (!document.cookie.split("; ").includes(cookie)) {
      document.cookie = cookie + "; path=" + (body.dataset.base || "") + "/; max-age=31536000; samesite=lax";
    }
  }

  // --- the modal ---------------------------------------------------------------------------------

  const modal = document.getElementById("modal");
  const modalContent = document.getElementById("modal-content");
  let opener = null;

  // fetchPiece asks for a piece of a page. The server names another address where a page would redirect.
  async function fetchPiece(address, options) {
    const response = await fetch(address, { credentials: "same-origin", ...options, headers: { "X-Modal": "1", ...(options && options.headers) } });
    const location = response.headers.get("X-Location");
    if (location) {
      window.location.assign(location);
      return null;
    }
    return response.text();
  }

  async function openModal(link) {
    opener = link;
    link.setAttribute("aria-busy", "true");
    try {
      const piece = await fetchPiece(link.href);
      if (piece !== null) showInModal(piece);
    } catch {
      window.location.assign(link.href); // the same page, whole
    } finally {
      link.removeAttribute("aria-busy");
    }
  }

  function showInModal(piece) {
    modalContent.innerHTML = piece;
    enhance(modalContent);
    bootstrap.Modal.getOrCreateInstance(modal).show();
    if (modal.classList.contains("show")) focusFirst();
  }

  function focusFirst() {
    const first = modalContent.querySelector(".modal-body input:not([type=hidden]), .modal-body select, .modal-body textarea, .modal-body button, .modal-body a[href]");
    if (!first) return;
    if (first.tomselect) first.tomselect.focus(); else first.focus();
  }

  // A form in the modal stays there when it is refused, and leaves with the page when it is taken.
  async function submitInModal(event) {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.method !== "post") return;
    event.preventDefault();
    const button = event.submitter;
    const data = new FormData(form, button);
    if (button) button.disabled = true;
    const options = { method: "POST", body: form.enctype === "multipart/form-data" ? data : new URLSearchParams(data) };
    try {
      const piece = await fetchPiece(button && button.hasAttribute("formaction") ? button.formAction : form.action, options);
      if (piece !== null) showInModal(piece);
    } catch {
      if (button) button.disabled = false;
      say(form, body.dataset.failed);
    }
  }

  function say(form, text) {
    let note = form.querySelector("[data-said]");
    if (!note) {
      note = document.createElement("p");
      note.className = "text-danger mt-2";
      note.setAttribute("role", "alert");
      note.dataset.said = "";
      form.append(note);
    }
    note.textContent = text;
  }

  if (modal && bootstrap.Modal) {
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-modal]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      openModal(link);
    });
    modal.addEventListener("shown.bs.modal", focusFirst);
    modal.addEventListener("hidden.bs.modal", () => {
      modalContent.replaceChildren();
      if (opener && opener.isConnected) opener.focus();
    });
    modalContent.addEventListener("submit", submitInModal);
  }

  // --- selects -----------------------------------------------------------------------------------

  function enhance(root) {
    if (!window.TomSelect) return;
    root.querySelectorAll("select[data-search-url], select[data-enhance]").forEach((select) => {
      if (!select.tomselect) enhanceSelect(select);
    });
  }

  function enhanceSelect(select) {
    const label = select.getAttribute("aria-label") || (select.labels[0] && select.labels[0].textContent.trim()) || "";
    const options = { maxOptions: 50, controlInput: "<input>", allowEmptyOption: false, plugins: [], render: { option: drawOption, no_results: () => null } };
    const address = select.dataset.searchUrl;
    if (address) {
      options.valueField = "value";
      options.labelField = "text";
      options.searchField = []; // the server has searched already
      options.shouldLoad = () => true;
      options.loadThrottle = 200;
      options.preload = false;
      options.load = (term, done) => search(select, term).then(done, () => done([]));
    }
    const control = new window.TomSelect(select, options);
    control.control_input.setAttribute("aria-label", label);
    select.setAttribute("aria-label", label);
    const other = select.form && select.dataset.searchWith && select.form.elements[select.dataset.searchWith];
    if (!other) return;
    other.addEventListener("change", () => {
      control.clear(true);
      control.clearOptions();
      control.load("");
    });
  }

  function drawOption(data, escape) {
    const more = [data.detail, data.reason].filter(Boolean).map(escape).join(" · ");
    return "<div><span>" + escape(data.text) + "</span>" + (more ? '<span class="d-block small text-secondary">' + more + "</span>" : "") + "</div>";
  }

  async function search(select, term) {
    const address = new URL(select.dataset.searchUrl, window.location.href);
    address.searchParams.set("q", term);
    const other = select.form.elements[select.dataset.searchWith];
    if (other) address.searchParams.set(other.name, other.value);
    const response = await fetch(address, { credentials: "same-origin", headers: { Accept: "application/json" } });
    if (!response.ok) return [];
    const control = select.tomselect;
    const found = (await response.json()).results || [];
    control.clearOptions((option) => control.items.includes(String(option.value)));
    return found;
  }

  // --- upload ------------------------------------------------------------------------------------

  function prepareUpload(form) {
    const file = form.querySelector("input[type=file]");
    const box = form.querySelector("[data-progress]");
    const bar = box.querySelector("progress");
    const text = box.querySelector("[data-progress-text]");
    const wrong = form.querySelector("[data-upload-error]");
    const review = document.getElementById("review");
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
      request.open("POST", form.action);
      request.setRequestHeader("X-Modal", "1");
      request.setRequestHeader("X-Form-Token", form.elements.form_token.value);
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
        review.innerHTML = request.responseText;
        review.querySelectorAll("[data-bs-dismiss]").forEach((button) => button.remove());
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
    box.querySelector("[data-cancel]").addEventListener("click", () => request && request.abort());
    const zone = form.closest(".card");
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

  // --- following a module's log ------------------------------------------------------------------

  // Asks for what is newer than the newest line shown, with the page's filters, while somebody looks.
  function prepareFollow(box) {
    const every = 2000, announceEvery = 10000, tiredAfter = 30 * 60000, most = 500;
    const control = box.querySelector("input");
    const said = box.querySelector("[data-follow-said]");
    let timer = 0, turn = 0, until = 0, fresh = 0, announced = 0;

    const lines = (root) => [...root.querySelectorAll("#rows tr[data-line]")];
    const newest = () => lines(document).map((row) => Number(row.dataset.line)).reduce((a, b) => Math.max(a, b), 0);

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
      const body = document.querySelector("#rows tbody");
      const found = lines(piece);
      if (!found.length) return;
      if (body) body.prepend(...found); else document.getElementById("rows").replaceWith(piece.getElementById("rows"));
      lines(document).slice(most).forEach((row) => row.remove());
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
      if (!document.hidden) {
        try {
          const asked = address();
          const response = await fetch(asked, { credentials: "same-origin", redirect: "error", headers: { "X-Modal": "1" } });
          if (!response.ok || response.status === 204) throw new Error("no lines");
          const piece = new DOMParser().parseFromString(await response.text(), "text/html");
          if (!piece.getElementById("rows")) throw new Error("no list");
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
    document.addEventListener("visibilitychange", () => {
      if (document.hidden || !control.checked) return;
      clearTimeout(timer);
      poll(++turn);
    });
    control.checked = false; // browsers remember it over a reload
    box.hidden = false;
  }

  // --- the time left of a switch -----------------------------------------------------------------

  function countDown(span) {
    const until = Number(span.dataset.until);
    const status = document.querySelector("[data-countdown]");
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

  // --- other tabs --------------------------------------------------------------------------------

  // Every page says who this browser is now; a page of somebody else must not act any more.
  function watchTabs() {
    if (!window.BroadcastChannel) return;
    const dialog = document.getElementById("changed");
    const channel = new BroadcastChannel("understudy" + (body.dataset.base || ""));
    const mine = { subject: body.dataset.subject, name: body.dataset.name, session: Number(body.dataset.session), version: Number(body.dataset.version) };
    channel.onmessage = ({ data }) => {
      if (data.subject === mine.subject && data.session === mine.session) return;
      if (data.session === mine.session && data.version < mine.version) return channel.postMessage(mine); // an old page came late
      dialog.querySelector("[data-name]").textContent = data.name;
      dialog.querySelector("[data-signed-in]").hidden = !data.subject;
      dialog.querySelector("[data-signed-out]").hidden = Boolean(data.subject);
      if (!dialog.open) dialog.showModal();
    };
    channel.postMessage(mine);
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.querySelector("[data-reload]").addEventListener("click", () => window.location.reload());
  }

  // A page out of the browser's memory may be somebody else's by now. It goes there blank, so that
  // nothing of it is seen before it has been asked for anew.
  window.addEventListener("pagehide", (event) => {
    if (event.persisted) document.documentElement.classList.add("gone");
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });

  // --- shortcuts ---------------------------------------------------------------------------------

  // Alt+Shift and a letter press the item of the bar that names them. Not where they write a
  // character: AltGr, or a layout that writes with Alt, in a field.
  function letterOf(event) {
    if (!event.altKey || !event.shiftKey || event.ctrlKey || event.metaKey || event.repeat || event.isComposing || event.getModifierState("AltGraph")) return "";
    const typed = (event.key || "").toUpperCase(); // a browser that fills a form in sends none
    if (/^[A-Z]$/.test(typed)) return typed;
    const field = event.target.closest && event.target.closest("input, textarea, select, [contenteditable]");
    const code = /^Key([A-Z])$/.exec(event.code); // other scripts, and layouts that write with Alt
    return code && !field ? code[1] : "";
  }

  document.addEventListener("keydown", (event) => {
    const letter = letterOf(event);
    const item = letter && document.querySelector('[aria-keyshortcuts="Alt+Shift+' + letter + '"]');
    if (!item || document.querySelector("dialog[open], .modal.show")) return;
    event.preventDefault();
    item.click();
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = button.dataset.copied;
    } catch {
      // selected, it can be copied by hand
    }
  });

  tellZone();
  enhance(document);
  document.querySelectorAll("form[data-upload]").forEach(prepareUpload);
  document.querySelectorAll("[data-follow]").forEach(prepareFollow);
  document.querySelectorAll("[data-until]").forEach(countDown);
  if (modal) watchTabs();
})();
