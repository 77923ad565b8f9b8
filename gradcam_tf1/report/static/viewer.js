/* One explained image: the stage, and a panel with scores, switches, sliders and numbers. */
"use strict";

(function () {
  const make = (...all) => gradcam.make(...all);
  const HINT = matchMedia("(pointer: coarse)").matches
    ? "Touch the image to read its values."
    : "Point at the image to read its values.";
  const SAFE = { cividis: "cividis (colour-blind safe)", viridis: "viridis (colour-blind safe)" };

  /* Put a viewer into `element`. `colormap` is the one for maps without a sign. */
  gradcam.viewer = function (element, colormap) {
    const settings = {
      strength: 0.6,
      threshold: 0,
      plain: false,
      marks: true,
      drawn: false,
      unsigned: gradcam.colormaps[colormap] ? colormap : "jet",
      signed: "diverging",
    };
    const chosen = { target: 0, map: 0 };
    let record = null;
    let grid = null;
    const listeners = [];

    const stage = gradcam.stage(readValue);
    const readout = make("p", { class: "readout", role: "status" });
    const notice = make("p", { class: "notice", hidden: true });
    const scores = make("section", { class: "panel-part", "aria-label": "Scores" });
    const switches = make("section", { class: "panel-part switches", "aria-label": "Which map" });
    const legend = make("div", {});
    const facts = make("section", { class: "panel-part", "aria-label": "Numbers of the map" });
    const strength = gradcam.slider("Strength", "[ and ]", settings.strength, (value) => set({ strength: value }));
    const threshold = gradcam.slider("Threshold", ", and .", 0, (value) => set({ threshold: value }));
    const colours = make(
      "select",
      { "aria-label": "Colours", onchange: () => setColormap(colours.value) },
      ...Object.keys(gradcam.colormaps).map((name) => make("option", { value: name }, SAFE[name] || name)),
    );
    const toggles = {
      plain: toggle("Image only", "o", () => set({ plain: !settings.plain })),
      wipe: toggle("Wipe", "w", () => setWipe(stage.wipe() === null ? 0.5 : null)),
      marks: toggle("Peak and box", "b", () => set({ marks: !settings.marks })),
      drawn: toggle("Drawn map", "d", () => set({ drawn: !settings.drawn })),
    };
    const controls = make(
      "section",
      { class: "panel-part controls", "aria-label": "How it is drawn" },
      make("div", { class: "chips toggles" }, ...Object.values(toggles)),
      strength.element,
      threshold.element,
      make("label", { class: "field" }, make("span", { class: "field-name" }, "Colours"), colours),
      legend,
    );
    const panel = make("div", { class: "viewer-panel" }, scores, switches, controls, facts);
    const root = make(
      "div",
      { class: "viewer", onkeydown: (event) => key(event) && event.preventDefault() },
      make("div", { class: "viewer-picture" }, stage.element, notice, readout),
      panel,
    );
    element.replaceChildren(root);

    function toggle(text, letter, onclick) {
      return make(
        "button",
        { type: "button", class: "chip", "aria-pressed": "false", title: "Key " + letter, onclick },
        text,
      );
    }

    const target = () => (record.targets || [])[chosen.target] || null;
    const map = () => (target() === null ? null : target().maps[chosen.map] || null);
    const colormapOf = (shown) => (shown && shown.signed ? settings.signed : settings.unsigned);

    function set(change) {
      Object.assign(settings, change);
      if (record !== null) draw();
    }

    function setWipe(share) {
      stage.setWipe(share);
      toggles.wipe.setAttribute("aria-pressed", String(share !== null));
    }

    function setColormap(name) {
      set(map() && map().signed ? { signed: name } : { unsigned: name });
    }

    /* Draw the chosen map with the settings. */
    function draw() {
      const shown = map();
      const name = colormapOf(shown);
      const drawn = Boolean(shown && shown.pixels && (settings.drawn || !grid));
      const clear = settings.plain || !shown || (!grid && !drawn);
      stage.heat.hidden = clear || drawn;
      stage.pixels.hidden = clear || !drawn;
      if (drawn && stage.pixels.getAttribute("src") !== shown.pixels) stage.pixels.src = shown.pixels;
      if (!stage.heat.hidden) grid.draw(stage.heat, name, settings.threshold, 1);
      stage.heat.style.opacity = String(settings.strength);
      stage.pixels.style.opacity = String(settings.strength);
      stage.mark(...(settings.marks && !clear ? [shown.peak, shown.box] : [null, null]));
      const found = (shown && target().detection) || null;
      const isBoxed = found !== null && settings.marks;
      stage.markFound(isBoxed ? found.box : null, isBoxed ? gradcam.detectionName(target()) : "");
      legend.replaceChildren(...(grid && !drawn ? [gradcam.legend(grid, name)] : []));
      colours.value = name;
      strength.show(settings.strength);
      threshold.show(settings.threshold);
      toggles.plain.setAttribute("aria-pressed", String(settings.plain));
      toggles.marks.setAttribute("aria-pressed", String(settings.marks));
      toggles.marks.hidden = !shown || (!shown.peak && !shown.box && !found);
      toggles.drawn.setAttribute("aria-pressed", String(drawn));
      toggles.drawn.hidden = !(shown && shown.pixels && grid);
    }

    function readValue(place) {
      readout.textContent = place === null ? HINT : "";
      if (place === null || record === null) return;
      const where = "row " + Math.floor(place.row) + ", column " + Math.floor(place.col);
      const value = grid ? grid.at(place.row, place.col) : NaN;
      const told = Number.isNaN(value) ? (grid ? "the net did not see this place" : "no number") : numbers(value);
      readout.append(make("span", {}, where), make("strong", {}, told));
    }

    function numbers(value) {
      const share =
        grid.magnitude > 0 ? Math.round((100 * value) / (map().signed ? grid.magnitude : grid.high || 1)) : 0;
      return gradcam.number(value) + " · " + String(share).replace("-", "−") + " % of the largest";
    }

    /* Build the panel and the stage for the chosen target and map. */
    function build() {
      const shown = map();
      grid = shown && shown.grid ? gradcam.grid(shown.grid, record.size) : null;
      const classIds = (record.targets || []).map((entry) => entry.class_id);
      const bars = gradcam.scores(record.top || [], classIds, target() && target().class_id, (id) =>
        choose({ target: classIds.indexOf(id) }),
      );
      scores.replaceChildren(...((record.top || []).length ? [bars] : []));
      switches.replaceChildren(...gradcam.mapSwitches(record, chosen, choose));
      facts.replaceChildren(gradcam.mapFacts(record, target(), shown));
      const sentence =
        record.status === "error"
          ? record.error
          : shown && shown.status === "empty"
            ? "Empty map: " + (shown.reason || "zero everywhere")
            : null;
      notice.textContent = sentence || "";
      notice.hidden = !sentence;
      notice.classList.toggle("notice-bad", record.status === "error");
      root.classList.toggle("without-maps", shown === null);
      draw();
    }

    /* Choose a target, and the map of it that is most like the one before: its method, then its layer. */
    function choose(next) {
      const before = map();
      if (next.target !== undefined) chosen.target = next.target;
      if (next.map !== undefined) chosen.map = next.map;
      else chosen.map = gradcam.likeMap(target(), before);
      build();
      for (const listener of listeners) listener({ ...chosen });
    }

    /* Show a record; `choice` {target, map} names the map, else the one most like the one before is taken. */
    function show(next, choice) {
      const before = record === null ? null : map();
      const sameSpot = record === null ? 0 : chosen.target;
      record = next;
      const targets = record.targets || [];
      chosen.target = Math.min(
        choice && choice.target !== undefined ? choice.target : sameSpot,
        Math.max(targets.length - 1, 0),
      );
      chosen.map = choice && choice.map !== undefined ? choice.map : gradcam.likeMap(target(), before);
      if (target() && !target().maps[chosen.map]) chosen.map = 0;
      stage.load(record.preview, record.size || [1, 1], record.name);
      stage.element.hidden = !record.preview && !(record.targets || []).length;
      readout.hidden = stage.element.hidden;
      build();
    }

    /* Use a key of the keyboard; true if it meant something here. */
    function key(event) {
      if (record === null || event.ctrlKey || event.metaKey || event.altKey) return false;
      if (event.target.matches && event.target.matches("input, select, textarea")) return false;
      const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const shift = (name, by) =>
        set({ [name]: Math.min(Math.max(Math.round((settings[name] + by) * 100) / 100, 0), 1) });
      const actions = {
        o: () => set({ plain: !settings.plain }),
        w: () => setWipe(stage.wipe() === null ? 0.5 : null),
        b: () => set({ marks: !settings.marks }),
        d: () => set({ drawn: !settings.drawn }),
        "[": () => shift("strength", -0.05),
        "]": () => shift("strength", 0.05),
        ",": () => shift("threshold", -0.05),
        ".": () => shift("threshold", 0.05),
        "+": () => stage.zoomBy(1.5),
        "=": () => stage.zoomBy(1.5),
        "-": () => stage.zoomBy(1 / 1.5),
        0: () => stage.fit(),
        c: () => choose({ target: gradcam.cycle(record.targets.length, chosen.target, 1) }),
        C: () => choose({ target: gradcam.cycle(record.targets.length, chosen.target, -1) }),
        m: () => choose({ map: gradcam.otherMap(target(), chosen.map, "method", 1) }),
        M: () => choose({ map: gradcam.otherMap(target(), chosen.map, "method", -1) }),
        l: () => choose({ map: gradcam.otherMap(target(), chosen.map, "layer", 1) }),
        L: () => choose({ map: gradcam.otherMap(target(), chosen.map, "layer", -1) }),
      };
      if (event.shiftKey && moves[event.key]) stage.step(...moves[event.key]);
      else if ("cCmMlL".includes(event.key) && !map()) return false;
      else if (actions[event.key]) actions[event.key]();
      else return false;
      return true;
    }

    return {
      show,
      key,
      panel,
      onChoice: (listener) => listeners.push(listener),
      dispose() {
        stage.dispose();
        element.replaceChildren();
      },
    };
  };
})();
