// Selects that search.
import { closest, create, field, findAll, guard, listen } from "./page.js";

export function enhance(root) {
  if (!window.TomSelect) return;
  // Each takes its time: a page with more of them, or with longer ones, keeps the browser's own.
  const most = 20, longest = 1000;
  for (const select of findAll(root, "select[data-search-url], select[data-enhance]").slice(0, most)) {
    if (!select.tomselect && select.options.length <= longest) guard(enhanceSelect, select);
  }
}

function enhanceSelect(select) {
  const label = select.getAttribute("aria-label") || (select.labels[0] && select.labels[0].textContent.trim()) || "";
  const frame = closest(select, ".module-frame"); // the list may be longer than the box of the module's page
  const options = {
    maxOptions: 50, controlInput: "<input>", allowEmptyOption: false, plugins: [], dropdownParent: frame,
    render: { option: drawOption, item: drawItem, optgroup_header: drawHeader, no_results: () => null },
  };
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
  if (frame) control.positionDropdown = () => placeBelow(control, frame);
  control.control_input.setAttribute("aria-label", label);
  select.setAttribute("aria-label", label);
  const other = select.form && select.dataset.searchWith && field(select.form, select.dataset.searchWith);
  if (!other) return;
  listen(other, "change", () => {
    control.clear(true);
    control.clearOptions();
    control.load("");
  });
}

function placeBelow(control, frame) {
  const at = control.wrapper.getBoundingClientRect(); // which a wide page may have outside its box
  const around = frame.getBoundingClientRect();
  const width = Math.min(at.width, around.width);
  Object.assign(control.dropdown.style, {
    width: width + "px", top: at.bottom - around.top + "px", right: "auto",
    left: Math.max(0, Math.min(at.left - around.left, around.width - width)) + "px",
    fontSize: getComputedStyle(control.wrapper).fontSize,
  });
}

function element(name, className, ...content) {
  const made = create(name);
  made.className = className;
  made.append(...content);
  return made;
}

function drawOption(data) {
  const more = [data.detail, data.reason].filter(Boolean).join(" · ");
  const drawn = element("div", "", element("span", "", data.text || ""));
  if (more) drawn.append(element("span", "d-block small text-secondary", more));
  return drawn;
}

const drawItem = (data) => element("div", "", data.text || "");
const drawHeader = (data) => element("div", "optgroup-header", data.label || "");


async function search(select, term) {
  const address = new URL(select.dataset.searchUrl, window.location.href);
  address.searchParams.set("q", term);
  const other = select.form && select.dataset.searchWith && field(select.form, select.dataset.searchWith);
  if (other) address.searchParams.set(select.dataset.searchWith, other.value);
  const response = await fetch(address, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!response.ok) return [];
  const control = select.tomselect;
  const found = (await response.json()).results || [];
  control.clearOptions((option) => control.items.includes(String(option.value)));
  return found;
}
