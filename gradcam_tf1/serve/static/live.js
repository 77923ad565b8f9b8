/* Starts the live page: one pane, or two side by side; paste, keys, light and dark. */
"use strict";

(function () {
  async function facts() {
    const response = await fetch("/model");
    if (response.status === 401) location.assign("/login");
    if (!response.ok) throw new Error("The server does not say what its net is (status " + response.status + ").");
    return response.json();
  }

  function begin(model, nextTheme) {
    const main = document.getElementById("panes");
    const compare = document.getElementById("compare");
    const panes = [gradcam.pane(model, "Explanation")];
    let active = panes[0];
    document.getElementById("model").textContent = model.model;
    document.title = "Explain images · " + model.model;
    main.replaceChildren(panes[0].element);
    watch(panes[0]);

    function watch(pane) {
      for (const name of ["focusin", "pointerdown"]) pane.element.addEventListener(name, () => { active = pane; });
    }

    function setCompare(on) {
      compare.setAttribute("aria-pressed", String(on));
      main.classList.toggle("two", on);
      if (!on) {
        panes.pop().dispose();
        active = panes[0];
        return;
      }
      const second = gradcam.pane(model, "Second explanation");
      panes.push(second);
      main.append(second.element);
      watch(second);
      if (panes[0].image() !== null) second.take(panes[0].image());
    }

    compare.addEventListener("click", () => setCompare(panes.length === 1));
    document.addEventListener("paste", (event) => {
      const image = [...event.clipboardData.files].find((item) => item.type.startsWith("image/"));
      if (!image) return;
      event.preventDefault();
      active.take(image);
    });
    // an image that misses its pane must not replace the page
    for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
    document.addEventListener("keydown", (event) => {
      const typing = event.target.matches("input, select, textarea");
      if (event.defaultPrevented || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "t") nextTheme();
      else if (!active.key(event)) return;
      event.preventDefault();
    });
  }

  document.addEventListener("DOMContentLoaded", async () => {
    const nextTheme = gradcam.theme(document.getElementById("theme"));
    try {
      begin(await facts(), nextTheme);
    } catch (error) {
      document.getElementById("panes").replaceChildren(gradcam.make("p", { class: "notice notice-bad", role: "alert" }, error.message));
    }
  });
})();
