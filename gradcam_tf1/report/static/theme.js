/* Light and dark: as the system has it, or as the reader wants it. */
"use strict";

(function () {
  const THEMES = { auto: "dark", dark: "light", light: "auto" };
  const KEY = "gradcam-theme";

  /* A browser may refuse to remember anything for files: then the choice lasts as long as the page. */
  function remembered() {
    try {
      return localStorage.getItem(KEY);
    } catch (error) {
      return null;
    }
  }

  function remember(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch (error) {
      return;
    }
  }

  function setTheme(button, theme) {
    const root = document.documentElement;
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    button.dataset.next = THEMES[theme];
    button.setAttribute("aria-label", "Colours of the page: " + theme + "; change");
    button.title = "Colours of the page: " + theme + " (t)";
  }

  /* Make a button choose the theme; return the function that takes the next one. */
  gradcam.theme = function (button) {
    function next() {
      const theme = button.dataset.next;
      setTheme(button, theme);
      remember(theme);
    }
    setTheme(button, Object.keys(THEMES).includes(remembered()) ? remembered() : "auto");
    button.append(gradcam.icon("theme"));
    button.addEventListener("click", next);
    return next;
  };
})();
