/* The scores of the best classes as bars. */
"use strict";

(function () {
  /* `top` is that of a record; `explained` are the class ids with maps, `chosen` the one shown; `choose` gets one. */
  gradcam.scores = function (top, explained, chosen, choose) {
    const largest = Math.max(...top.map((entry) => Math.abs(entry.score)), 1e-12);
    const rows = top.map((entry) => {
      const share = known(entry.probability) ? entry.probability : Math.max(entry.score, 0) / largest;
      const fill = gradcam.make("span", { class: "bar-fill" });
      fill.style.width = Math.max(0, Math.min(share, 1)) * 100 + "%";
      const number = known(entry.probability) ? gradcam.percent(entry.probability) : gradcam.number(entry.score);
      const parts = [
        gradcam.make("span", { class: "bar-name", title: gradcam.className(entry) }, gradcam.className(entry)),
        gradcam.make("span", { class: "bar-number" }, number),
        gradcam.make("span", { class: "bar-track", "aria-hidden": "true" }, fill),
      ];
      const about = "class " + entry.class_id + ", score " + gradcam.number(entry.score);
      return gradcam.make("li", {}, row(entry, parts, about));
    });

    function row(entry, parts, about) {
      if (!explained.includes(entry.class_id)) return gradcam.make("div", { class: "bar", title: about }, ...parts);
      return gradcam.make(
        "button",
        {
          type: "button",
          class: "bar",
          title: about + "; show its map",
          "aria-pressed": String(entry.class_id === chosen),
          onclick: () => choose(entry.class_id),
        },
        ...parts,
      );
    }

    return gradcam.make("ol", { class: "bars", "aria-label": "Best classes" }, ...rows);
  };

  const known = (value) => value !== null && value !== undefined;
})();
