/* One pane: an image, a question, and the viewer of the answer. */
"use strict";

(function () {
  const make = (...all) => gradcam.make(...all);

  const natural = (url) =>
    new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve([image.naturalHeight, image.naturalWidth]);
      image.onerror = () => resolve(null); // a file that only the server can read
      image.src = url;
    });

  /* `name` tells panes apart, for people. */
  gradcam.pane = function (model, name) {
    let image = null;
    let preview = null;
    let call = null;

    const file = make("input", { type: "file", class: "out-of-sight", accept: "image/*,.tif,.tiff,.pnm,.ppm,.pgm,.npy,.dcm,.nii,.gz", "aria-label": "Image", onchange: () => file.files.length && take(file.files[0]) });
    const how = make("span", {}, "Drop, paste or ");
    const link = make("span", { class: "link" }, "choose an image");
    const chosen = make("span", { class: "chosen" });
    const drop = make("label", { class: "drop" }, file, how, link, chosen);
    const form = gradcam.questionForm(model, () => image !== null && form.isQuick() && run());
    const start = make("button", { type: "button", class: "button", disabled: true, onclick: () => run() }, "Explain");
    const cancel = make("button", { type: "button", class: "button quiet", hidden: true, onclick: () => stop("Cancelled.") }, "Cancel");
    const bar = make("progress", { class: "progress", hidden: true, "aria-label": "Progress" });
    const status = make("p", { class: "soft small status", role: "status" });
    const error = make("p", { class: "notice notice-bad", role: "alert", hidden: true });
    const actions = make("div", { class: "actions" }, make("div", { class: "buttons" }, start, cancel), bar, status, error);
    const place = make("div", { class: "pane-viewer" });
    const viewer = gradcam.viewer(place, "jet");
    const ask = make("div", { class: "pane-form" }, drop, form.element, actions);
    const element = make("section", { class: "pane empty", "aria-label": name }, ask, place);

    function fail(sentence) {
      error.textContent = sentence || "";
      error.hidden = !sentence;
    }

    /* Show how far the work is; null: nothing runs. */
    function progress(state) {
      bar.hidden = cancel.hidden = state === null;
      start.hidden = state !== null;
      if (state === null) return;
      if (state.of) [bar.max, bar.value] = [state.of, state.done];
      else bar.removeAttribute("value");
      status.textContent =
        state.state === "waiting" ? gradcam.count(state.ahead, "request", "requests") + " before this one"
        : state.of ? state.method + ": " + state.done.toLocaleString("en") + " of " + state.of.toLocaleString("en") + " " + state.unit
        : "Explaining";
    }

    function stop(sentence) {
      if (call === null) return;
      call.abort();
      call = null;
      progress(null);
      status.textContent = sentence;
    }

    /* Take another image and, where the method is quick, explain it. */
    async function take(next) {
      stop("");
      fail("");
      if (next.size > model.limits.bytes) {
        fail("The image has " + next.size.toLocaleString("en") + " bytes; at most " + model.limits.bytes.toLocaleString("en") + " are taken.");
        return;
      }
      if (preview !== null) URL.revokeObjectURL(preview);
      image = next;
      preview = URL.createObjectURL(image);
      file.value = "";
      how.textContent = "";
      link.textContent = "Another image";
      chosen.textContent = image.name || "pasted image";
      drop.classList.add("full");
      start.disabled = false;
      const now = image;
      const size = await natural(preview);
      if (image !== now) return;
      element.classList.remove("empty");
      viewer.show({ id: "", name: chosen.textContent, size, status: "ok", error: null, preview: size && preview, top: [], targets: [] });
      if (form.isQuick()) run();
    }

    async function run() {
      if (image === null) return;
      stop("");
      fail("");
      const mine = new AbortController();
      call = mine;
      const began = performance.now();
      progress({ state: "running" });
      try {
        const record = await gradcam.explain(image, form.pairs(), mine.signal, (state) => call === mine && progress(state));
        if (call !== mine) return;
        if (record.status === "error") fail(record.error);
        else viewer.show(record);
        status.textContent = record.status === "error" ? "" : "Explained in " + ((performance.now() - began) / 1000).toFixed(1) + " s";
      } catch (reason) {
        if (call !== mine) return;
        status.textContent = "";
        fail(reason.message);
      }
      call = null;
      progress(null);
    }

    element.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      element.classList.add("over");
    });
    element.addEventListener("dragleave", (event) => element.contains(event.relatedTarget) || element.classList.remove("over"));
    element.addEventListener("drop", (event) => {
      element.classList.remove("over");
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    });

    return {
      element, take,
      key: (event) => viewer.key(event),
      image: () => image,
      dispose() {
        stop("");
        viewer.dispose();
        if (preview !== null) URL.revokeObjectURL(preview);
        element.remove();
      },
    };
  };
})();
