/* The page of strategies: what each class looks at, as clusters of its maps. */
"use strict";

(function () {
  const make = (...all) => gradcam.make(...all);
  const FIRST = 6; // images of a cluster that are shown before all are asked for

  /* What is known of a cluster in a line. */
  function facts(cluster) {
    const parts = [gradcam.count(cluster.count, "image", "images")];
    if (cluster.accuracy !== null) parts.push(gradcam.percent(cluster.accuracy) + " right");
    if (cluster.probability !== null) parts.push("mean probability " + gradcam.percent(cluster.probability));
    return parts.join(" · ");
  }

  function images(index, selection, cluster) {
    const list = make("ul", { class: "cards strip" });
    const query = new URLSearchParams();
    const add = (ids) => {
      const cards = ids.map((id) => gradcam.exampleCard(index, selection, id, query));
      list.append(...cards.filter((card) => card !== null));
    };
    add(cluster.images.slice(0, FIRST));
    if (cluster.images.length <= FIRST) return [list];
    const more = make(
      "button",
      {
        type: "button",
        class: "chip",
        onclick: () => {
          add(cluster.images.slice(FIRST));
          more.remove();
        },
      },
      "Show all " + gradcam.count(cluster.images.length, "image", "images"),
    );
    return [list, more];
  }

  function clusterCard(index, selection, found, cluster) {
    const map = { grid: cluster.grid, method: found.method };
    return make(
      "div",
      { class: cluster.suspect ? "cluster cluster-suspect" : "cluster" },
      make("figure", { class: "mean" }, gradcam.meanMap(map, gradcam.colormapOf(index), false)[0]),
      make(
        "div",
        { class: "cluster-text" },
        make("h3", {}, gradcam.percent(cluster.share) + " · " + cluster.place),
        make("p", { class: "soft" }, facts(cluster)),
        cluster.suspect ? make("p", { class: "notice notice-bad" }, "Suspect: " + cluster.suspect + ".") : null,
        ...images(index, selection, cluster),
      ),
    );
  }

  function classSection(index, selection, found, entry) {
    const cards = entry.clusters.map((cluster) => clusterCard(index, selection, found, cluster));
    const about =
      gradcam.count(entry.count, "map", "maps") + ", " + gradcam.count(cards.length, "strategy", "strategies");
    return make(
      "section",
      {},
      make("h2", {}, gradcam.className(entry), " ", make("span", { class: "soft" }, about)),
      ...cards,
    );
  }

  /* Suspect classes first. */
  const suspects = (entry) => entry.clusters.filter((cluster) => cluster.suspect).length;

  gradcam.strategiesPage = function (index, selection) {
    const dead = { ready() {}, key: () => false, update: () => false, dispose() {} };
    const found = index.strategies;
    if (!found) {
      const text = "Strategies are not known. Type: gradcam-tf1 strategies OUT";
      return { ...dead, title: "Strategies", element: make("p", { class: "notice" }, text) };
    }
    const classes = [...found.classes].sort((a, b) => suspects(b) - suspects(a) || b.count - a.count);
    const total = classes.reduce((sum, entry) => sum + suspects(entry), 0);
    const few = Object.entries(found.few).map(([name, count]) => name + " (" + count + ")");
    const lost = [];
    if (found.empty) lost.push(gradcam.count(found.empty, "empty map", "empty maps"));
    if (found.unread) lost.push(gradcam.count(found.unread, "map", "maps") + " that cannot be read");
    const head = make(
      "header",
      { class: "head" },
      make(
        "div",
        {},
        make("h1", {}, total ? gradcam.count(total, "suspect strategy", "suspect strategies") : "No suspect strategy"),
        make(
          "p",
          { class: "under soft" },
          "Clusters of the maps of " +
            found.method +
            (found.layer ? " at " + found.layer : "") +
            ", each image stretched to a square. Suspect: a corner, the border, or one spot away from the centre.",
        ),
        few.length ? make("p", { class: "under soft" }, "Too few maps: " + few.join(", ")) : null,
        lost.length ? make("p", { class: "under soft" }, "In no cluster: " + lost.join(", ")) : null,
      ),
    );
    const sections = classes.map((entry) => classSection(index, selection, found, entry));
    return { ...dead, title: "Strategies", element: make("article", { class: "class-page" }, head, ...sections) };
  };
})();
