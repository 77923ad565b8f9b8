/* The page on the run: what was chosen and why, what failed, what was doubtful. */
"use strict";

(function () {
  const make = (...all) => gradcam.make(...all);
  const PASSED = new Set(["file:", "http:", "https:"]);

  /* A link to a file of the run; only text where the address is of another kind. */
  function fileLink([title, address]) {
    const safe = PASSED.has(new URL(address, document.baseURI).protocol);
    return make("li", {}, safe ? make("a", { href: address }, title) : title);
  }

  function section(title, ...content) {
    return make("section", {}, make("h2", {}, title), ...content);
  }

  function terms(rows) {
    const parts = rows.flatMap(([name, value, why]) => [
      make("dt", {}, name),
      make(
        "dd",
        {},
        make("span", { class: "value" }, value === null || value === undefined ? "–" : String(value)),
        why ? make("span", { class: "why soft" }, why) : null,
      ),
    ]);
    return make("dl", { class: "terms" }, ...parts);
  }

  function failures(run) {
    const rows = run.failures.map((failure) =>
      make("li", {}, make("strong", {}, failure.name), make("span", { class: "why" }, failure.error)),
    );
    return section(gradcam.count(rows.length, "failure", "failures"), make("ul", { class: "sentences" }, ...rows));
  }

  gradcam.runPage = function (index) {
    const run = index.run;
    const doubts = run.doubts.map((sentence) => make("li", {}, sentence));
    const made = new Date(index.made);
    const when = Number.isNaN(made.getTime())
      ? index.made
      : made.toLocaleString("en", { dateStyle: "long", timeStyle: "short" });
    const truth = index.truth_from === null ? "" : " · right and wrong after " + index.truth_from;
    const element = make(
      "article",
      { class: "run-page" },
      make(
        "header",
        { class: "head" },
        make(
          "div",
          {},
          make("h1", {}, index.title),
          make(
            "p",
            { class: "under soft" },
            gradcam.count(index.images.id.length, "image", "images") + truth + " · report made " + when,
          ),
        ),
      ),
      doubts.length ? section("What was doubtful", make("ul", { class: "sentences" }, ...doubts)) : null,
      run.failures.length ? failures(run) : null,
      ...run.sections.map((part) => section(part.title, terms(part.rows))),
      run.files.length ? section("Files", make("ul", { class: "files" }, ...run.files.map(fileLink))) : null,
    );
    return { element, title: "Run", ready() {}, key: () => false, update: () => false, dispose() {} };
  };
})();
