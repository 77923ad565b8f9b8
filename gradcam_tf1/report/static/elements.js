/* Building blocks. Text goes into text nodes only, never into markup: names and labels come from strangers. */
"use strict";

(function () {
  /* An element with attributes, listeners ("onclick": function) and children (elements, or strings as text). */
  gradcam.make = function (tag, properties, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (typeof value === "function") element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };

  const PATHS = {
    previous: "M10 3 5 8l5 5",
    next: "M6 3l5 5-5 5",
    plus: "M8 3v10M3 8h10",
    minus: "M3 8h10",
    fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
    theme: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
    close: "M4 4l8 8M12 4l-8 8",
    wipe: "M8 2v12M5 6 3 8l2 2M11 6l2 2-2 2",
  };

  /* The name of a file below a card: where it is too long, the folder is left out. */
  gradcam.fileName = function (name) {
    const cut = name.lastIndexOf("/") + 1;
    const parts = [
      gradcam.make("span", { class: "card-folder" }, name.slice(0, cut)),
      gradcam.make("span", { class: "card-file" }, name.slice(cut)),
    ];
    return gradcam.make("span", { class: "card-name soft" }, ...parts);
  };

  /* A small drawing for a button; hidden from screen readers, which read the button's label. */
  gradcam.icon = function (name) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const path = document.createElementNS(space, "path");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("class", "icon icon-" + name);
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", PATHS[name]);
    svg.append(path);
    return svg;
  };

  /* A button with an icon and a spoken name. */
  gradcam.iconButton = function (icon, label, key, onclick) {
    return gradcam.make(
      "button",
      {
        type: "button",
        class: "icon-button",
        "aria-label": label,
        title: key ? label + " (" + key + ")" : label,
        onclick,
      },
      gradcam.icon(icon),
    );
  };

  /* A group of buttons of which one is pressed. `choices` are [value, text]; `choose` gets the value. */
  gradcam.chips = function (label, choices, chosen, choose) {
    const buttons = choices.map(([value, text]) =>
      gradcam.make(
        "button",
        {
          type: "button",
          class: "chip",
          "aria-pressed": String(value === chosen),
          title: text,
          onclick: () => choose(value),
        },
        text,
      ),
    );
    return gradcam.make(
      "div",
      { class: "field" },
      gradcam.make("span", { class: "field-name" }, label),
      gradcam.make("div", { class: "chips", role: "group", "aria-label": label }, ...buttons),
    );
  };

  /* A slider in percent with its name and its value. `change` gets a number in 0..1. */
  gradcam.slider = function (label, key, value, change) {
    const output = gradcam.make("output", { class: "field-value" });
    const input = gradcam.make("input", { type: "range", min: "0", max: "100", step: "1", "aria-label": label });
    const show = (share) => {
      input.value = String(Math.round(share * 100));
      output.textContent = input.value + " %";
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => {
      show(Number(input.value) / 100);
      change(Number(input.value) / 100);
    });
    show(value);
    const name = gradcam.make("span", { class: "field-name", title: "Keys " + key }, label);
    return { show, element: gradcam.make("label", { class: "field slider" }, name, output, input) };
  };

  /* Four significant digits, in powers of ten only where a plain number would be long. */
  gradcam.number = function (value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 1e-4 || size >= 1e6)
      return value.toExponential(2).replace("-", "−").replace("e-", "e−").replace("e+", "e");
    return String(Number(value.toPrecision(4))).replace("-", "−");
  };

  gradcam.percent = function (share) {
    if (share === null || share === undefined) return "–";
    if (share > 0 && share < 0.001) return "<0.1 %";
    if (share < 1 && share > 0.999) return ">99.9 %";
    return (share * 100).toFixed(share === 1 || share === 0 ? 0 : 1) + " %";
  };

  gradcam.count = (n, one, many) => n.toLocaleString("en") + " " + (n === 1 ? one : many);

  /* The name of a class: its label, else its number. */
  gradcam.className = function (entry) {
    if (entry.label !== null && entry.label !== undefined && entry.label !== "") return String(entry.label);
    return entry.class_id === null || entry.class_id === undefined ? "–" : "class " + entry.class_id;
  };
})();
