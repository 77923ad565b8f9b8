/* The pages of all classes and of one class: mean maps and examples. */
"use strict";

(function () {
  const make = (...all) => gradcam.make(...all);
  const { link } = gradcam.routes;
  const AT_ONCE = 24; // mean maps that are drawn with the page; the others when they come near

  /* A mean map on its own: opaque, on the unit square. */
  gradcam.meanMap = function (entry, colormap, small) {
    const canvas = make("canvas", { class: "mean-map", role: "img", "aria-label": "Mean map of " + entry.method });
    const grid = gradcam.grid(entry.grid, [100, 100]);
    const name = entry.grid.low < 0 ? "diverging" : colormap;
    grid.draw(canvas, name, 0, 1, { even: true, small });
    return [canvas, gradcam.legend(grid, name)];
  };

  gradcam.colormapOf = (index) => (gradcam.colormaps[index.colormap] ? index.colormap : "jet");

  function summary(entry) {
    const parts = [gradcam.count(entry.count, "image", "images")];
    if (entry.wrong !== null) parts.push(entry.wrong.toLocaleString("en") + " wrong");
    if (entry.probability !== null) parts.push("mean probability " + gradcam.percent(entry.probability));
    return parts.join(" · ");
  }

  gradcam.classesPage = function (index) {
    const watcher = new IntersectionObserver(
      (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => fill(entry.target)),
      { rootMargin: "300px" },
    );
    const classes = [...index.classes].sort((a, b) => b.count - a.count);

    function fill(frame) {
      watcher.unobserve(frame); // no harm where it was never watched
      const first = classes[Number(frame.dataset.n)].maps[0];
      if (first) frame.append(gradcam.meanMap(first, gradcam.colormapOf(index), true)[0]);
    }

    const cards = classes.map((entry, n) => {
      const frame = make("span", { class: "card-frame", "data-n": String(n) });
      if (n < AT_ONCE) fill(frame);
      else watcher.observe(frame);
      const about =
        gradcam.count(entry.count, "image", "images") +
        (entry.wrong ? " · " + entry.wrong.toLocaleString("en") + " wrong" : "");
      return make(
        "li",
        {},
        make(
          "a",
          { class: "card", href: link("class", entry.class_id), title: gradcam.className(entry) },
          frame,
          make("span", { class: "card-line" }, make("strong", {}, gradcam.className(entry))),
          make("span", { class: "card-name soft" }, about),
        ),
      );
    });
    const what = index.classes.some((entry) => entry.maps.length)
      ? "The mean map of the images of each class."
      : "";
    const head = make(
      "header",
      { class: "head" },
      make(
        "div",
        {},
        make("h1", {}, gradcam.count(classes.length, "class", "classes")),
        make("p", { class: "under soft" }, what),
      ),
    );
    const element = make("div", {}, head, make("ul", { class: "cards" }, ...cards));
    return {
      element,
      title: "Classes",
      ready() {},
      key: () => false,
      update: () => false,
      dispose: () => watcher.disconnect(),
    };
  };

  /* The card of one image, for examples of classes and of strategies. */
  gradcam.exampleCard = function (index, selection, id, query) {
    const n = selection.position(id);
    if (n < 0) return null;
    const images = index.images;
    const picture = make("img", { class: "card-picture", alt: "", loading: "lazy", decoding: "async" });
    const url = gradcam.thumb(id);
    if (url) picture.src = url;
    const confidence =
      images.probability[n] === null ? gradcam.number(images.score[n]) : gradcam.percent(images.probability[n]);
    return make(
      "li",
      {},
      make(
        "a",
        { class: "card", href: link("image", id, query), title: images.name[n] },
        make("span", { class: "card-frame" }, picture),
        make("span", { class: "card-line" }, make("strong", {}, confidence)),
        gradcam.fileName(images.name[n]),
      ),
    );
  };

  gradcam.classPage = function (index, selection, route) {
    const entry = index.classes.find((one) => String(one.class_id) === route.id);
    const dead = { ready() {}, key: () => false, update: () => false, dispose() {} };
    if (entry === undefined) {
      return { ...dead, title: "No such class", element: make("h1", {}, "The report has no class " + route.id + ".") };
    }
    const query = new URLSearchParams({ class: entry.class_id });
    const layers = new Map(gradcam.layerNames([...new Set(entry.maps.map((map) => map.layer))]));
    const figures = entry.maps.map((map) =>
      make(
        "figure",
        { class: "mean", title: map.layer },
        ...gradcam.meanMap(map, gradcam.colormapOf(index), false),
        make(
          "figcaption",
          {},
          make("strong", {}, map.method),
          map.layer === "" ? null : make("span", { class: "soft" }, layers.get(map.layer)),
        ),
      ),
    );
    const examples = entry.examples.map((id) => gradcam.exampleCard(index, selection, id, query));
    const back = make(
      "a",
      {
        class: "icon-button",
        href: link("classes"),
        "aria-label": "Back to all classes",
        title: "Back to all classes (Esc)",
      },
      gradcam.icon("close"),
    );
    const about = make(
      "div",
      {},
      make("h1", {}, gradcam.className(entry)),
      make("p", { class: "under soft" }, summary(entry)),
    );
    const element = make(
      "article",
      { class: "class-page" },
      make("header", { class: "head" }, about, make("nav", { class: "steps", "aria-label": "Other classes" }, back)),
      figures.length
        ? make(
            "section",
            {},
            make("h2", {}, "Mean map"),
            make(
              "p",
              { class: "soft" },
              "Where the maps of these images are high on average, each image stretched to a square.",
            ),
            make("div", { class: "means" }, ...figures),
          )
        : null,
      make(
        "section",
        {},
        make("h2", {}, "Examples"),
        make("ul", { class: "cards strip" }, ...examples),
        make("p", {}, make("a", { href: link("images", null, query) }, "All images of this class")),
      ),
    );
    const key = (event) => {
      if (event.key !== "Escape") return false;
      gradcam.routes.go("classes");
      return true;
    };
    return { ...dead, element, title: gradcam.className(entry), key };
  };
})();
