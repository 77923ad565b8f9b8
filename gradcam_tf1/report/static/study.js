/* The only script of a study: the button of the theme, and its key. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const next = gradcam.theme(document.getElementById("theme"));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "t" || event.ctrlKey || event.metaKey || event.altKey) return;
    next();
    event.preventDefault();
  });
});
