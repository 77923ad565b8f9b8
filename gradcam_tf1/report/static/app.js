/* Starts the page: addresses and keys. */
"use strict";

(function () {
  const PAGES = {
    images: gradcam.galleryPage,
    image: gradcam.imagePage,
    classes: gradcam.classesPage,
    class: gradcam.classPage,
    strategies: gradcam.strategiesPage,
    concepts: gradcam.conceptsPage,
    run: gradcam.runPage,
  };
  const SECTION = { image: "images", class: "classes" }; // of a page that is not a section itself

  function start() {
    const main = document.getElementById("view");
    const help = document.getElementById("help");
    const index = gradcam.get("index") || gradcam.inline("index");
    const nextTheme = gradcam.theme(document.getElementById("theme"));
    document.getElementById("skip").addEventListener("click", () => main.focus());
    document.getElementById("help-button").addEventListener("click", () => help.showModal());
    document.getElementById("help-close").addEventListener("click", () => help.close());
    if (index === undefined) {
      main.replaceChildren(
        gradcam.make(
          "p",
          { class: "notice notice-bad" },
          "The file index.js of the report is missing; make the report again.",
        ),
      );
      return;
    }
    index.concepts = index.concepts || gradcam.get("concepts") || null;
    for (const name of ["strategies", "concepts"])
      document.querySelector("[data-section=" + name + "]").hidden = !index[name];
    const selection = gradcam.selection(index);
    let page = null;

    function open() {
      const route = gradcam.routes.read();
      const known = Object.prototype.hasOwnProperty.call(PAGES, route.page) ? route.page : "images";
      const first = page === null;
      if (first || !page.update(route)) {
        if (!first) page.dispose();
        page = PAGES[known](index, selection, route);
        main.replaceChildren(page.element);
        scrollTo(0, 0);
        if (!first) main.focus({ preventScroll: true });
        page.ready();
      }
      document.title = page.title + " · " + index.title;
      for (const anchor of document.querySelectorAll(".site-nav a")) {
        if (anchor.dataset.section === (SECTION[known] || known)) anchor.setAttribute("aria-current", "page");
        else anchor.removeAttribute("aria-current");
      }
    }

    document.addEventListener("keydown", (event) => {
      const typing = event.target.matches("input, select, textarea");
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
      if (typing && event.key !== "Escape") return;
      if (typing) event.target.blur();
      else if (event.key === "?") help.showModal();
      else if (event.key === "t") nextTheme();
      else if (event.key === "/" && document.getElementById("search")) document.getElementById("search").focus();
      else if (event.key === "g") gradcam.routes.go("images");
      else if (!page.key(event)) return;
      event.preventDefault();
    });
    gradcam.routes.listen(open);
  }

  document.addEventListener("DOMContentLoaded", start);
})();
