// Runs before the page is painted: which theme an account without a choice sees, and that there is
// a script at all.
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("js");
  if (root.hasAttribute("data-bs-theme")) return;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function follow() { root.setAttribute("data-bs-theme", dark.matches ? "dark" : "light"); }
  follow();
  dark.addEventListener("change", follow);
})();
