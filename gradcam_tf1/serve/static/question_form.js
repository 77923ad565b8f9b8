/* The menus of one pane: class, layer, method and options, made from what the server says of its net. */
"use strict";

(function () {
  const make = (...all) => gradcam.make(...all);
  const GROUPS = [
    ["Maps of a layer", (method) => !method.slow && method.space === "layer"],
    ["Maps of the pixels", (method) => !method.slow && method.space === "pixels"],
    ["Slow: many runs of the net", (method) => method.slow],
  ];
  let made = 0;

  const field = (name, control, title) => make("label", { class: "field", title }, make("span", { class: "field-name" }, name), control);

  /* How many of the best classes are explained where none is named; one pass serves them all. */
  const best = (model, method) => (model.classes === null || method.slow ? 1 : Math.min(model.classes, 3));

  function select(name, options, changed) {
    const items = options.map(([value, text]) => make("option", { value }, text));
    return make("select", { "aria-label": name, onchange: changed }, ...items);
  }

  function methodMenu(methods, changed) {
    const menu = make("select", { "aria-label": "Method", onchange: changed });
    for (const [label, belongs] of GROUPS) {
      const items = methods.filter(belongs).map((method) =>
        make("option", { value: method.name, disabled: !method.usable, title: method.usable ? method.summary : method.reason }, method.name),
      );
      if (items.length) menu.append(make("optgroup", { label }, ...items));
    }
    return menu;
  }

  function classField(model, changed) {
    const list = make("datalist", { id: "classes-" + made }, ...(model.labels || []).map((label) => make("option", { value: label })));
    const input = make("input", { type: "text", list: list.id, "aria-label": "Class", spellcheck: "false", autocomplete: "off", onchange: changed });
    return { input, element: make("div", {}, field("Class", input, "A name or a number; empty: the best"), list) };
  }

  /* The scope that all names begin with says nothing, and hides the rest in a narrow menu. */
  function withoutScope(names) {
    const [first, ...others] = names.map((name) => name.split("/"));
    let shared = 0;
    while (others.length && shared < first.length - 1 && others.every((parts) => parts[shared] === first[shared])) shared++;
    return (name) => (shared ? "\u2026/" : "") + name.split("/").slice(shared).join("/");
  }

  function layerChoices(model) {
    const counted = model.layers.filter((layer) => layer.count !== null).reverse();
    const own = model.branches ? [["auto", "each class's own (auto)"]] : [];
    const short = withoutScope([model.layer, ...counted.map((layer) => layer.name)]);
    return [["", short(model.layer) + " (default)"], ...own, ...counted.map((layer) => [layer.name, layer.count + "  " + short(layer.name)])];
  }

  /* A control for one option of a method; empty means its default. */
  function optionControl(option, changed) {
    const fallback = option.default === null ? "chosen by the method" : String(option.default);
    if (option.type === "bool") return select(option.name, [["", "default: " + fallback], ["true", "true"], ["false", "false"]], changed);
    if (option.choices.length) return select(option.name, [["", "default: " + fallback], ...option.choices.map((name) => [name, name])], changed);
    const input = make("input", { type: "number", placeholder: fallback, "aria-label": option.name, onchange: changed });
    input.step = option.type === "int" ? "1" : "any";
    const low = option.low !== null ? option.low : option.above;
    const high = option.high !== null ? option.high : option.below;
    if (low !== null) input.min = String(low);
    if (high !== null) input.max = String(high);
    return input;
  }

  /* `changed` is called when the question is another one. */
  gradcam.questionForm = function (model, changed) {
    made += 1;
    const method = methodMenu(model.methods, () => { showMethod(); changed(); });
    const summary = make("p", { class: "soft small" });
    const classes = classField(model, changed);
    const layer = select("Layer", layerChoices(model), changed);
    const layerRow = field("Layer", layer);
    const score = select("Score", model.scores.map((name) => [name, name]), changed);
    const noise = select("Noise", [["", "none"], ...model.noise.map((name) => [name, name])], () => { showNoise(); changed(); });
    const samples = make("input", { type: "number", min: "1", max: "200", step: "1", placeholder: "25", "aria-label": "Noise samples", onchange: changed });
    const level = make("input", { type: "number", min: "0", max: "10", step: "any", placeholder: "0.15", "aria-label": "Noise level", onchange: changed });
    const ofNoise = make("div", { class: "pair", hidden: true }, field("Samples", samples), field("Level", level));
    const views = make("input", { type: "checkbox", onchange: changed });
    const component = make("input", { type: "checkbox", onchange: changed });
    const componentRow = make("label", { class: "check" }, component, "First principal component (eigen_smooth)");
    const options = make("div", { class: "options" });
    const more = make(
      "details",
      { class: "more" },
      make("summary", {}, "Options"),
      options,
      field("Score", score, "What of the class is explained"),
      field("Noise", noise, "Average over noisy copies of the image"),
      ofNoise,
      make("label", { class: "check" }, views, "Average over six views (aug_smooth)"),
      componentRow,
    );
    let controls = new Map();
    const current = () => model.methods.find((entry) => entry.name === method.value);

    function showMethod() {
      const chosen = current();
      const count = best(model, chosen);
      summary.textContent = chosen.summary;
      classes.input.placeholder = count > 1 ? "the best " + count : "the best";
      layerRow.hidden = !chosen.uses_layer;
      componentRow.hidden = !chosen.uses_layer || chosen.space !== "layer";
      controls = new Map(chosen.options.map((option) => [option.name, optionControl(option, changed)]));
      options.replaceChildren(...[...controls].map(([name, control]) => field(chosen.name + "." + name, control)));
    }

    function showNoise() {
      ofNoise.hidden = noise.value === "";
    }

    /* The parameters of POST /explain. */
    function pairs() {
      const chosen = current();
      const found = [["method", chosen.name]];
      const add = (name, value) => value !== "" && found.push([name, value]);
      if (classes.input.value.trim()) add("class", classes.input.value.trim());
      else add("top", String(best(model, chosen)));
      if (chosen.uses_layer) add("layer", layer.value);
      for (const [name, control] of controls) add(chosen.name + "." + name, control.value);
      add("score", score.value === "logit" ? "" : score.value);
      add("noise", noise.value);
      if (noise.value) {
        add("noise_samples", samples.value);
        add("noise_level", level.value);
      }
      if (views.checked) add("aug_smooth", "true");
      if (component.checked && !componentRow.hidden) add("eigen_smooth", "true");
      return found;
    }

    const first = model.methods.find((entry) => entry.usable);
    if (first) method.value = first.name;
    showMethod();
    return {
      element: make("div", { class: "question" }, field("Method", method), summary, classes.element, layerRow, more),
      pairs,
      isQuick: () => !current().slow && noise.value === "",
    };
  };
})();
