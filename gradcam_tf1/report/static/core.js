/* The one global, and the data that arrives through `gradcam.receive`. Classic scripts: file:// has no modules. */
"use strict";

const gradcam = (function () {
  const KEPT = 40; // records held at a time; a map of an image is large
  const stored = new Map();
  const waiting = new Map();

  function receive(name, value) {
    stored.delete(name);
    stored.set(name, value);
    for (const old of stored.keys()) {
      if (stored.size <= KEPT + 1) break;
      if (old !== "index" && old !== "concepts") stored.delete(old);
    }
    const waiter = waiting.get(name);
    if (waiter) {
      waiting.delete(name);
      waiter.resolve(value);
    }
  }

  /* The value of the block <script type="application/json" id="gradcam-NAME"> of a single file, or undefined. */
  function inline(name) {
    const block = document.getElementById("gradcam-" + name);
    return block === null ? undefined : JSON.parse(block.textContent);
  }

  /* A promise of the value that `images/NAME.js` hands to `receive`. */
  function load(name) {
    if (stored.has(name)) return Promise.resolve(stored.get(name));
    const value = inline(name);
    if (value !== undefined) {
      receive(name, value);
      return Promise.resolve(value);
    }
    if (!waiting.has(name)) waiting.set(name, request(name));
    return waiting.get(name).promise;
  }

  function request(name) {
    const waiter = {};
    waiter.promise = new Promise((resolve, reject) => {
      waiter.resolve = resolve;
      const script = document.createElement("script");
      script.src = "images/" + encodeURIComponent(name) + ".js";
      script.onload = () => script.remove();
      script.onerror = () => {
        script.remove();
        waiting.delete(name);
        reject(
          new Error("The file " + script.getAttribute("src") + " of the report is missing; make the report again."),
        );
      };
      document.head.append(script);
    });
    return waiter;
  }

  /* The URL of the small overlay of an image, or null where there is none. */
  function thumb(id) {
    if (document.getElementById("gradcam-index") !== null) return inline(id + "-thumb") || null;
    return "images/" + encodeURIComponent(id) + ".thumb.jpg";
  }

  return { receive, load, inline, thumb, get: (name) => stored.get(name) };
})();
