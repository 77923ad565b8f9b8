/* Which images are shown, in which order: filters, search and sorting over the columns of the index. */
"use strict";

(function () {
  const known = (value) => value !== null && value !== undefined;

  /* Compare by numbers, the larger first or last. Images without a number come last; equals keep their order. */
  const by = (column, sign) => (a, b) => {
    if (known(column[a]) !== known(column[b])) return known(column[a]) ? -1 : 1;
    return (known(column[a]) ? sign * (column[b] - column[a]) : 0) || a - b;
  };

  gradcam.selection = function (index) {
    const images = index.images;
    const hasProbability = images.probability.some(known);
    const confidence = hasProbability ? images.probability : images.score;
    const texts = images.name.map((name, n) => (name + "\n" + (images.label[n] || "")).toLowerCase());
    const orders = {
      surest: by(confidence, 1),
      unsurest: by(confidence, -1),
      focused: by(images.focus, 1),
      spread: by(images.focus, -1),
    };

    /* The tests of a query that an image must pass. */
    function tests(query) {
      const found = [];
      const words = (query.get("q") || "").toLowerCase().split(/\s+/).filter(Boolean);
      if (words.length) found.push((n) => words.every((word) => texts[n].includes(word)));
      const only = (name, test) => query.has(name) && found.push((n) => test(n, query.get(name)));
      only("class", (n, id) => String(images.class_id[n]) === id);
      only("status", (n, status) => images.status[n] === status);
      only("result", (n, result) => images.wrong !== null && images.wrong[n] === (result === "wrong"));
      only("doubt", (n) => known(images.doubt[n]));
      only("from", (n, least) => known(confidence[n]) && confidence[n] >= Number(least));
      only("to", (n, most) => known(confidence[n]) && confidence[n] <= Number(most));
      return found;
    }

    /* The positions of the chosen images in their order. */
    function pick(query) {
      const wanted = tests(query);
      const found = [];
      for (let n = 0; n < images.id.length; n++) {
        if (wanted.every((test) => test(n))) found.push(n);
      }
      const order = orders[query.get("sort")];
      return order ? found.sort(order) : found;
    }

    const positions = new Map(images.id.map((id, n) => [id, n]));
    const position = (id) => (positions.has(id) ? positions.get(id) : -1);
    return { pick, confidence, hasProbability, position };
  };

  /* The filters of a query without the place inside an image. */
  gradcam.filtersOf = (query) => gradcam.routes.changed(query, { t: "", m: "" });
})();
