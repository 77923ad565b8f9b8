/* The maps of a record: switches for class, method and layer, the next one for a key, and what is known about one. */
"use strict";

(function () {
  const distinct = (values) => [...new Set(values)];

  gradcam.cycle = (count, from, by) => (from + by + count) % Math.max(count, 1);

  /* The number of the map of `target` with the method and layer of `wanted`, else with its method, else the first. */
  gradcam.likeMap = function (target, wanted) {
    if (!target || !wanted) return 0;
    const same = target.maps.findIndex((map) => map.method === wanted.method && map.layer === wanted.layer);
    return same >= 0
      ? same
      : Math.max(
          target.maps.findIndex((map) => map.method === wanted.method),
          0,
        );
  };

  /* The number of the map with the next method, or the next layer of the same method. */
  gradcam.otherMap = function (target, from, what, by) {
    const now = target.maps[from];
    const pool = what === "layer" ? target.maps.filter((map) => map.method === now.method) : target.maps;
    const names = distinct(pool.map((map) => map[what]));
    const name = names[gradcam.cycle(names.length, names.indexOf(now[what]), by)];
    return gradcam.likeMap(target, { ...now, [what]: name });
  };

  /* [layer, its name without the path that all of them share]. */
  gradcam.layerNames = function (layers) {
    const parts = (layer) => layer.replace(/:0$/, "").split("/");
    const paths = layers.filter((layer) => layer !== "").map(parts);
    if (!paths.length) return layers.map((layer) => [layer, "input"]);
    const alike = (place) => paths.every((path) => path.length > place + 1 && path[place] === paths[0][place]);
    let shared = paths.length === 1 ? Math.max(paths[0].length - 2, 0) : 0; // a lone layer keeps two parts
    while (paths.length > 1 && alike(shared)) shared += 1;
    return layers.map((layer) => [layer, layer === "" ? "input" : parts(layer).slice(shared).join("/")]);
  };

  /* The class of a detection and the detector's confidence. */
  gradcam.detectionName = (target) =>
    gradcam.className(target) + " " + gradcam.percent(target.detection.confidence);

  function targetName(target, targets) {
    const name = target.detection ? gradcam.detectionName(target) : gradcam.className(target);
    const alike = targets.filter((other) => gradcam.className(other) === name).length > 1;
    if (target.detection) return name + " · " + target.about.replace("detection ", "box ");
    return target.about ? name + " · " + target.about : alike ? name + " (" + target.class_id + ")" : name;
  }

  /* Groups of buttons; a group with one choice is left out. `choose` gets {target} or {map}. */
  gradcam.mapSwitches = function (record, chosen, choose) {
    const targets = record.targets || [];
    const target = targets[chosen.target];
    if (!target || !target.maps.length) return [];
    const now = target.maps[chosen.map];
    const layers = distinct(target.maps.filter((map) => map.method === now.method).map((map) => map.layer));
    const pick = (wanted) => choose({ map: gradcam.likeMap(target, { ...now, ...wanted }) });
    const groups = [
      [
        targets.some((entry) => entry.detection) ? "Detection" : "Class",
        targets.map((entry, n) => [n, targetName(entry, targets)]),
        chosen.target,
        (n) => choose({ target: n }),
      ],
      [
        "Method",
        distinct(target.maps.map((map) => map.method)).map((name) => [name, name]),
        now.method,
        (method) => pick({ method }),
      ],
      ["Layer", gradcam.layerNames(layers), now.layer, (layer) => pick({ layer })],
    ];
    return groups.filter((group) => group[1].length > 1).map((group) => gradcam.chips(...group));
  };

  /* What is known about the shown map, as a list of terms. */
  gradcam.mapFacts = function (record, target, map) {
    const rows = [];
    const add = (name, value) => value !== null && value !== undefined && rows.push([name, String(value)]);
    if (map) {
      add("Map", map.layer === "" ? map.method : map.method + " at " + map.layer);
      add("Class", gradcam.className(target) + (target.label ? " (" + target.class_id + ")" : ""));
      if (target.about) add("Target", target.about);
      const probability = target.probability === null ? "" : " · " + gradcam.percent(target.probability);
      add("Score", gradcam.number(target.score) + probability);
      if (target.detection) {
        const [top, left, bottom, right] = target.detection.box.map(gradcam.number);
        add("Detected", "rows " + top + "–" + bottom + ", columns " + left + "–" + right);
        add("Anchor", target.detection.anchor);
      }
      add("Range", gradcam.number(map.minimum) + " to " + gradcam.number(map.maximum));
      add("Peak", map.peak && "row " + map.peak[0] + ", column " + map.peak[1]);
      add("Box", map.box && "rows " + map.box[0] + "–" + map.box[2] + ", columns " + map.box[1] + "–" + map.box[3]);
      add("Focus", map.focus === null ? null : gradcam.number(map.focus));
    }
    add("Size", record.size && record.size[1] + " × " + record.size[0]);
    const terms = rows.flatMap(([name, value]) => [gradcam.make("dt", {}, name), gradcam.make("dd", {}, value)]);
    const notes = ((map && map.notes) || []).map((note) => gradcam.make("li", {}, note));
    const list = gradcam.make("dl", { class: "facts" }, ...terms);
    return gradcam.make(
      "div",
      {},
      rows.length ? list : null,
      notes.length ? gradcam.make("ul", { class: "notes" }, ...notes) : null,
    );
  };
})();
