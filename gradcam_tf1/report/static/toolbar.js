/* Search, filters and sorting above the gallery. Each change becomes words of the address. */
"use strict";

(function () {
  const make = (...all) => gradcam.make(...all);
  const FILTERS = ["q", "class", "result", "status", "doubt", "from", "to"];

  function choices(label, name, options, query, change) {
    const items = options.map(([value, text]) => make("option", { value }, text));
    const select = make("select", { "aria-label": label, onchange: () => change({ [name]: select.value }) }, ...items);
    select.value = query.get(name) || "";
    if (select.selectedIndex < 0) select.value = "";
    return make("label", { class: "field" }, make("span", { class: "field-name" }, label), select);
  }

  function limits(selection, query, change) {
    const box = (name, label, hint) => {
      const input = make("input", {
        type: "number",
        step: "any",
        "aria-label": label,
        placeholder: hint,
        onchange: () => change({ [name]: input.value }),
      });
      if (selection.hasProbability) [input.min, input.max, input.step] = ["0", "1", "0.01"];
      input.value = query.get(name) || "";
      return input;
    };
    const what = selection.hasProbability ? "Probability" : "Score";
    return make(
      "div",
      { class: "field" },
      make("span", { class: "field-name" }, what),
      make("div", { class: "limits" }, box("from", what + " from", "from"), box("to", what + " to", "to")),
    );
  }

  const byName = (a, b) => a[1].localeCompare(b[1], "en", { numeric: true });

  /* `change` gets the words that change. The count is told by `told(shown)`. */
  gradcam.toolbar = function (index, selection, query, change) {
    const images = index.images;
    const classes = index.classes
      .map((entry) => [String(entry.class_id), gradcam.className(entry) + " (" + entry.count + ")"])
      .sort(byName);
    const search = make("input", {
      type: "search",
      id: "search",
      placeholder: "Search names and classes",
      "aria-label": "Search names and classes",
      spellcheck: "false",
      oninput: () => change({ q: search.value }),
    });
    search.value = query.get("q") || "";
    const fields = [choices("Class", "class", [["", "all"], ...classes], query, change)];
    if (images.wrong)
      fields.push(
        choices(
          "Result",
          "result",
          [
            ["", "all"],
            ["right", "right"],
            ["wrong", "wrong"],
          ],
          query,
          change,
        ),
      );
    fields.push(limits(selection, query, change));
    const failed = images.status.some((status) => status !== "ok");
    if (failed || query.has("status"))
      fields.push(
        choices(
          "Status",
          "status",
          [
            ["", "all"],
            ["ok", "explained"],
            ["error", "failed"],
          ],
          query,
          change,
        ),
      );
    const doubted = images.doubt.some((sentence) => sentence !== null);
    if (doubted || query.has("doubt"))
      fields.push(
        choices(
          "Doubt",
          "doubt",
          [
            ["", "all"],
            ["1", "doubtful only"],
          ],
          query,
          change,
        ),
      );
    const orders = [
      ["", "file"],
      ["surest", "most confident"],
      ["unsurest", "least confident"],
      ["focused", "most focused map"],
      ["spread", "most spread map"],
    ];
    fields.push(choices("Sort by", "sort", orders, query, change));

    const more = make(
      "button",
      { type: "button", class: "chip toolbar-more", "aria-expanded": "false", "aria-controls": "filters" },
      "Filter and sort",
    );
    const drawer = make("div", { class: "filters", id: "filters" }, ...fields);
    more.addEventListener("click", () => {
      const open = drawer.classList.toggle("open");
      more.setAttribute("aria-expanded", String(open));
    });
    const count = make("span", { class: "soft", role: "status" });
    const reset = make("button", { type: "button", class: "chip", onclick: () => change(null) }, "Show all");
    const summary = make("div", { class: "toolbar-summary" }, count, reset);
    const element = make(
      "form",
      { class: "toolbar", role: "search", onsubmit: (event) => event.preventDefault() },
      make("div", { class: "toolbar-search" }, search, more),
      drawer,
      summary,
    );

    function told(shown, now) {
      const all = images.id.length;
      count.textContent =
        shown === all
          ? gradcam.count(all, "image", "images")
          : shown.toLocaleString("en") + " of " + gradcam.count(all, "image", "images");
      reset.hidden = !FILTERS.some((name) => now.has(name));
    }
    return { element, told };
  };
})();
