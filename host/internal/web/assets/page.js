// What every script of these pages stands on: a page no name can bend, and the one way of HTML into it.

// An element's name or id becomes a property of its form, of the document and of the window. So
// nothing here reads such a property of an object a page can put names into: these functions ask the
// prototype instead.
const getter = (prototype, name) => {
  const get = Object.getOwnPropertyDescriptor(prototype, name).get;
  return (object) => get.call(object);
};
const method = (prototype, name) => {
  const call = prototype[name];
  return (object, ...args) => call.apply(object, args);
};
export const page = window.document;
const bodyOf = getter(Document.prototype, "body");
export const isHidden = getter(Document.prototype, "hidden");
export const byId = method(Document.prototype, "getElementById").bind(null, page);
export const create = method(Document.prototype, "createElement").bind(null, page);
export const closest = method(Element.prototype, "closest");
export const has = method(Element.prototype, "hasAttribute");
export const append = method(Element.prototype, "append");
const elementsOf = getter(HTMLFormElement.prototype, "elements");
export const actionOf = getter(HTMLFormElement.prototype, "action");
export const enctypeOf = getter(HTMLFormElement.prototype, "enctype");
export const methodOf = getter(HTMLFormElement.prototype, "method");
export const listen = (target, event, act) => EventTarget.prototype.addEventListener.call(target, event, act);

const searchers = new Map([
  [Node.DOCUMENT_NODE, Document.prototype], [Node.DOCUMENT_FRAGMENT_NODE, DocumentFragment.prototype], [Node.ELEMENT_NODE, Element.prototype],
]);
const nodeType = getter(Node.prototype, "nodeType");
export const find = (root, selector) => searchers.get(nodeType(root)).querySelector.call(root, selector);
export const findAll = (root, selector) => [...searchers.get(nodeType(root)).querySelectorAll.call(root, selector)];
export const field = (form, name) => elementsOf(form).namedItem(name);

export const body = bodyOf(page);
export const bootstrap = window.bootstrap || (window.tabler && (window.tabler.bootstrap || window.tabler)) || {};

// guard runs one behaviour: what goes wrong in it ends it alone.
export function guard(behaviour, ...args) {
  try {
    return behaviour(...args);
  } catch (error) {
    console.error(error);
  }
}

// The one way of HTML into the page.

// The only HTML that becomes part of this page is what the server marked as a piece of one, and the
// few forms in which the select writes its own parts. Where the browser knows Trusted Types it holds
// every library to this policy.
const vouched = new Set();
const ownParts = [
  /^$/, /^<div>$/, /^<div><\/div>$/, /^<input>$/, /^<div role="listbox" tabindex="-1">$/, /^<div class="spinner"><\/div>$/,
  /^<option value="[^"<>]*">[^<>]*<\/option>$/,
];
const mayBeHTML = (text) => vouched.has(text) || ownParts.some((shape) => shape.test(text));
if (window.trustedTypes) {
  window.trustedTypes.createPolicy("default", { createHTML: (text) => (mayBeHTML(text) ? text : null) });
}

// parse reads a piece of a page that the server vouches for. Scripts in it never run.
export function parse(text, mark) {
  if (mark !== "1") throw new Error("this is no piece of a page");
  vouched.add(text);
  try {
    return new DOMParser().parseFromString(text, "text/html");
  } finally {
    vouched.delete(text);
  }
}

// put shows a parsed piece in the place of what an element holds.
export function put(place, piece) {
  place.replaceChildren(...bodyOf(piece).childNodes);
}

// fetchPiece asks for a piece of a page. The server names another address where a page would redirect.
export async function fetchPiece(address, options) {
  const response = await fetch(address, { credentials: "same-origin", ...options, headers: { "X-Modal": "1", ...(options && options.headers) } });
  const location = response.headers.get("X-Location");
  if (location) {
    window.location.assign(location);
    return null;
  }
  return parse(await response.text(), response.headers.get("X-Piece"));
}
