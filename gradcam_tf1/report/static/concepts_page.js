/* The page of concepts: factors of the features of a folder, and the test of a concept that somebody showed. */
"use strict";

(function () {
  const make = (...all) => gradcam.make(...all);
  const METHODS = { dff: "Deep feature factorisation", craft: "CRAFT" };
  const KINDS = {
    significant: ["verdict-good", "Significant."],
    "not significant": ["", "Not significant."],
    "no concept": ["verdict-bad", "No concept."],
  };
  const whole = (share) => (share * 100).toFixed(0) + " %";

  /* One of the pictures that a file has side by side. */
  function part(pictures, number, caption) {
    const [height, width] = pictures.size;
    const how = { loading: "lazy", decoding: "async" };
    const image = make("img", { class: "part", src: pictures.url, alt: caption, ...how });
    image.style.aspectRatio = width + " / " + height;
    const place = () => {
      const count = Math.round(image.naturalWidth / image.naturalHeight / (width / height));
      image.style.objectPosition = (count > 1 ? (100 * number) / (count - 1) : 0) + "% 0";
    };
    image.addEventListener("load", place);
    if (image.complete) place();
    return make("figure", {}, image, make("figcaption", {}, caption));
  }

  function swatch(concept) {
    if (concept.rgb === null) return null;
    const square = make("span", { class: "swatch", "aria-hidden": "true" });
    square.style.backgroundColor = "rgb(" + concept.rgb.join(", ") + ")";
    return square;
  }

  const name = (concept) => "concept " + concept.concept;
  const speaks = (concept) => concept.classes.map((each) => each.label).join(", ") || "no class";
  const effect = (each) => each.label + " (" + (each.effect > 0 ? "+" : "") + gradcam.number(each.effect) + ")";

  function conceptSection(concept) {
    const facts = [concept.color, "share " + gradcam.percent(concept.share)];
    if (concept.importance !== null) facts.push("importance " + concept.importance.toFixed(3));
    if (concept.classes.length) facts.push("speaks for " + concept.classes.map(effect).join(", "));
    const crops = concept.crops && concept.images.map((image, n) => part(concept.crops, n, image));
    return make(
      "section",
      { class: "concept" },
      make("h3", {}, swatch(concept), name(concept) + ": " + speaks(concept)),
      make("p", { class: "soft" }, facts.filter((each) => each !== null).join(" · ")),
      crops ? make("div", { class: "image-strip" }, ...crops) : null,
    );
  }

  function imageSection(found, image) {
    const drawn = found.concepts.filter((concept) => concept.rgb !== null);
    const words = ["image", "all concepts", ...drawn.map(name)];
    return make(
      "div",
      { class: "concept-image" },
      make("h3", {}, image.image + ": " + image.label),
      make("div", { class: "image-strip" }, ...words.map((word, n) => part(image.figure, n, word))),
    );
  }

  /* What a reader has to know before the numbers. */
  function doubts(study) {
    const told = Object.entries(study.failed).map(([image, reason]) => "Left out: " + image + ": " + reason);
    if (study.other_model) told.unshift("These come from another model file than the run: " + study.model + ".");
    return told.map((text) => make("p", { class: "notice" }, text));
  }

  function sentence(text) {
    return make("p", { class: "soft" }, text);
  }

  function foundSections(found) {
    const of = found.target === null ? "" : " of " + found.target.label;
    const facts = [
      METHODS[found.method],
      gradcam.count(found.image_count, "image", "images"),
      whole(found.explained) + " of the features' squares",
      found.model,
    ];
    const ranked = found.concepts.some((concept) => concept.importance !== null);
    const about = [
      "The features of the layer are sums of concepts. The share is what a concept adds to the features, of what " +
        "all add. It speaks for the classes whose logit rises most where the whole layer holds the concept alone: a " +
        "name, not a measure. The crops are where it is highest, one of an image.",
    ];
    if (ranked)
      about.push("Importance: the share of the variance of the class's logit that the concept takes part in (Sobol).");
    const title = gradcam.count(found.concepts.length, "concept", "concepts") + of + " at " + found.layer;
    const sections = [
      make(
        "section",
        {},
        make("h2", {}, title),
        make("p", { class: "under soft" }, facts.join(" · ")),
        ...doubts(found),
        ...about.map(sentence),
        ...found.concepts.map(conceptSection),
        ...found.notes.map(sentence),
      ),
    ];
    if (!found.images.length) return sections;
    const shown =
      "In the image of all concepts each pixel has the colour of the strongest one. A colour is full at the 90th " +
      "percentile of the images' highest coefficients, so a concept compares across images.";
    const images = found.images.map((image) => imageSection(found, image));
    return [...sections, make("section", {}, make("h2", {}, "Images"), sentence(shown), ...images)];
  }

  function row(tag, cells) {
    return make("tr", {}, ...cells.map((cell) => make(tag, tag === "th" ? { scope: "col" } : {}, cell)));
  }

  function testSection(test) {
    const verdicts = test.classes.map((each) => {
      const [kind, word] = KINDS[each.verdict];
      return make("p", { class: "verdict " + kind }, make("strong", {}, word), each.sentence);
    });
    const rows = test.classes.map((each) => [
      each.label,
      each.score.toFixed(2),
      each.random_score.toFixed(2) + " ± " + each.random_spread.toFixed(2),
      gradcam.number(Number(each.p.toPrecision(2))),
    ]);
    const counts = test.counts;
    const facts = [
      ["Shows the concept", test.positive + ", " + gradcam.count(counts.positive, "image", "images")],
      ["Does not show it", test.negative + ", " + gradcam.count(counts.negative, "image", "images")],
      ["Images of the class", counts.images.toLocaleString("en")],
      ["Vectors", test.vectors + " at " + test.layer + ", of " + test.images_per_vector + " images of each kind"],
      ["Accuracy", whole(test.accuracy) + " on held-out images"],
      ["Model", test.model],
    ];
    const head = ["class", "score", "random score", "probability by chance"];
    return make(
      "section",
      {},
      make("h2", {}, "Does the class depend on the concept?"),
      ...doubts(test),
      ...verdicts,
      make(
        "div",
        { class: "sideways", tabindex: "0", role: "group", "aria-label": "Scores" },
        make(
          "table",
          { class: "numbers" },
          make("thead", {}, row("th", head)),
          make("tbody", {}, ...rows.map((cells) => row("td", cells))),
        ),
      ),
      sentence(
        "TCAV. The score is the share of the images whose logit of the class rises along the concept's vectors, the " +
          "random score that of vectors between random sets of images.",
      ),
      make("dl", { class: "terms" }, ...facts.flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, text)])),
    );
  }

  gradcam.conceptsPage = function (index) {
    const page = { title: "Concepts", ready() {}, key: () => false, update: () => false, dispose() {} };
    if (!index.concepts) {
      const text = "Concepts are not known. Type: gradcam-tf1 concepts MODEL IMAGES --out OUT";
      return { ...page, element: make("p", { class: "notice" }, text) };
    }
    const { found, test } = index.concepts;
    const head = make("header", { class: "head" }, make("div", {}, make("h1", {}, "Concepts")));
    const sections = [...(found ? foundSections(found) : []), ...(test ? [testSection(test)] : [])];
    return { ...page, element: make("article", { class: "class-page concepts-page" }, head, ...sections) };
  };
})();
