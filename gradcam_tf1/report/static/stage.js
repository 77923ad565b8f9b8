/* The picture: an image with layers on top, zoom, pan, wipe, and a place under the pointer or the keys. */
"use strict";

(function () {
  const LARGEST_ZOOM = 24;
  const WIPE_STEP = 0.02;
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  /* `onPlace` gets {row, col} in pixels of the image, or null. */
  gradcam.stage = function (onPlace) {
    const make = gradcam.make;
    const preview = make("img", { class: "preview", alt: "", draggable: "false" });
    const heat = make("canvas", { class: "layer heat", "aria-hidden": "true" });
    const pixels = make("img", { class: "layer pixels", alt: "", draggable: "false", hidden: true });
    const box = make("div", { class: "mark-box", hidden: true });
    const peak = make("div", { class: "mark-peak", hidden: true });
    const tag = make("span", { class: "mark-tag" });
    const found = make("div", { class: "mark-found", hidden: true }, tag);
    const probe = make("div", { class: "mark-probe", hidden: true });
    const scene = make("div", { class: "scene" }, preview, pixels, heat, found, box, peak, probe);
    const handle = make(
      "div",
      { class: "wipe", role: "slider", tabindex: "0", hidden: true, "aria-label": "Wipe between image and map" },
      make("span", { class: "wipe-grip" }, gradcam.icon("wipe")),
    );
    handle.setAttribute("aria-valuemin", "0");
    handle.setAttribute("aria-valuemax", "100");
    const view = make("div", { class: "stage", tabindex: "0", role: "group" }, scene, handle);
    const zooms = make(
      "div",
      { class: "stage-zoom" },
      gradcam.iconButton("minus", "Zoom out", "−", () => zoomBy(1 / 1.5)),
      gradcam.iconButton("fit", "Fit", "0", () => fit()),
      gradcam.iconButton("plus", "Zoom in", "+", () => zoomBy(1.5)),
    );
    const element = make("div", { class: "stage-frame" }, view, zooms);

    let size = [1, 1]; // height and width of the image
    let base = 1; // pixels of the screen per pixel of the image at zoom 1
    let [zoom, left, top] = [1, 0, 0];
    let wipe = null; // share of the stage's width that shows the image alone; null: no wipe
    let place = null;
    const pointers = new Map();
    let pinch = null;

    function layout() {
      const [height, width] = size;
      base = Math.min(view.clientWidth / width, view.clientHeight / height) || 1;
      scene.style.width = width * base + "px";
      scene.style.height = height * base + "px";
      position();
    }

    /* Keep the picture in sight: centred where it is smaller than the stage, without a gap where it is larger. */
    function position() {
      const held = (offset, length, room) => (length <= room ? (room - length) / 2 : clamp(offset, room - length, 0));
      left = held(left, size[1] * base * zoom, view.clientWidth);
      top = held(top, size[0] * base * zoom, view.clientHeight);
      scene.style.transform = "translate(" + left + "px, " + top + "px) scale(" + zoom + ")";
      scene.style.setProperty("--zoom", zoom);
      scene.classList.toggle("sharp", base * zoom > 6);
      view.classList.toggle("zoomed", zoom > 1);
      clip();
    }

    function clip() {
      handle.hidden = wipe === null;
      const cut = wipe === null ? 0 : clamp((wipe * view.clientWidth - left) / zoom, 0, size[1] * base);
      for (const layer of [heat, pixels]) layer.style.clipPath = cut > 0 ? "inset(0 0 0 " + cut + "px)" : "none";
      if (wipe === null) return;
      handle.style.left = wipe * 100 + "%";
      handle.setAttribute("aria-valuenow", String(Math.round(wipe * 100)));
      handle.setAttribute("aria-valuetext", Math.round(wipe * 100) + " % of the width without the map");
    }

    function zoomBy(factor, x = view.clientWidth / 2, y = view.clientHeight / 2) {
      const wanted = clamp(zoom * factor, 1, LARGEST_ZOOM);
      left = x - ((x - left) * wanted) / zoom;
      top = y - ((y - top) * wanted) / zoom;
      zoom = wanted;
      position();
    }

    function fit() {
      zoom = 1;
      position();
    }

    const local = (event) => {
      const frame = view.getBoundingClientRect();
      return [event.clientX - frame.left, event.clientY - frame.top];
    };

    function show(next, drawn) {
      place = next;
      probe.hidden = place === null || !drawn;
      if (place !== null) put(probe, place.row, place.col);
      onPlace(place);
    }

    function put(mark, row, col) {
      mark.style.top = (100 * row) / size[0] + "%";
      mark.style.left = (100 * col) / size[1] + "%";
    }

    function frame(mark, edges) {
      mark.hidden = !edges;
      if (!edges) return;
      put(mark, edges[0], edges[1]);
      mark.style.height = (100 * (edges[2] - edges[0])) / size[0] + "%";
      mark.style.width = (100 * (edges[3] - edges[1])) / size[1] + "%";
    }

    function point(event) {
      const [x, y] = local(event);
      const [row, col] = [(y - top) / (base * zoom), (x - left) / (base * zoom)];
      const inside = row >= 0 && col >= 0 && row < size[0] && col < size[1];
      show(inside ? { row, col } : null, event.pointerType === "touch");
    }

    /* Move the place that the keys read, by a share of what is in sight, and follow it when zoomed. */
    function step(down, across) {
      const stride = Math.max(size[0], size[1]) / (50 * zoom);
      const from = place || { row: size[0] / 2 - down * stride, col: size[1] / 2 - across * stride };
      show(
        {
          row: clamp(from.row + down * stride, 0, size[0] - 0.01),
          col: clamp(from.col + across * stride, 0, size[1] - 0.01),
        },
        true,
      );
      const [y, x] = [top + place.row * base * zoom, left + place.col * base * zoom];
      top -= y - clamp(y, 20, view.clientHeight - 20);
      left -= x - clamp(x, 20, view.clientWidth - 20);
      position();
    }

    view.addEventListener("pointerdown", (event) => {
      if (handle.contains(event.target)) return;
      pointers.set(event.pointerId, local(event));
      pinch = pointers.size === 2 ? spread() : null;
      if (zoom > 1 || pinch) view.setPointerCapture(event.pointerId);
      point(event);
    });
    view.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (before === undefined) {
        if (event.pointerType !== "touch" && !handle.contains(event.target)) point(event);
        return;
      }
      const [x, y] = local(event);
      pointers.set(event.pointerId, [x, y]);
      if (pinch) {
        const now = spread();
        left += now.x - pinch.x;
        top += now.y - pinch.y;
        zoomBy(now.distance / pinch.distance, now.x, now.y);
        pinch = now;
      } else if (zoom > 1) {
        left += x - before[0];
        top += y - before[1];
        position();
      }
      if (!pinch) point(event);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      view.addEventListener(name, (event) => {
        pointers.delete(event.pointerId);
        pinch = null;
      });
    }
    view.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch" && pointers.size === 0) show(null, false);
    });
    view.addEventListener("dblclick", (event) => {
      if (!handle.contains(event.target)) zoom > 1 ? fit() : zoomBy(3, ...local(event));
    });
    view.addEventListener(
      "wheel",
      (event) => {
        if (event.deltaY > 0 && zoom === 1) return; // nothing to zoom out of: the page scrolls
        event.preventDefault();
        zoomBy(Math.exp(-event.deltaY / 400), ...local(event));
      },
      { passive: false },
    );

    function spread() {
      const [a, b] = [...pointers.values()];
      const distance = Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 1);
      return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, distance };
    }

    function setWipe(share) {
      wipe = share === null ? null : clamp(share, 0, 1);
      clip();
    }

    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      handle.focus();
      event.preventDefault();
      event.stopPropagation();
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) setWipe(local(event)[0] / view.clientWidth);
    });
    handle.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: wipe - WIPE_STEP, ArrowRight: wipe + WIPE_STEP, Home: 0, End: 1 }[event.key];
      if (to === undefined || event.shiftKey) return;
      setWipe(to);
      event.preventDefault();
      event.stopPropagation();
    });

    const watcher = new ResizeObserver(layout);
    watcher.observe(view);

    return {
      element,
      view,
      heat,
      pixels,
      preview,
      zoomBy,
      fit,
      step,
      setWipe,
      wipe: () => wipe,
      zoom: () => zoom,

      /* Another image of [height, width]; `url` may be null where there is no preview. */
      load(url, newSize, name) {
        if (newSize[0] !== size[0] || newSize[1] !== size[1]) zoom = 1;
        size = newSize;
        element.style.setProperty("--ratio", String(size[1] / size[0]));
        preview.hidden = !url;
        preview.alt = name;
        if (url) preview.src = url;
        else preview.removeAttribute("src");
        view.setAttribute("aria-label", name + " with its map; Shift and arrows read values");
        show(null, false);
        layout();
      },

      /* The highest place [row, col] and the box [top, left, bottom, right] of a map, or null. */
      mark(peakPixel, edges) {
        peak.hidden = !peakPixel;
        if (peakPixel) put(peak, peakPixel[0] + 0.5, peakPixel[1] + 0.5);
        frame(box, edges);
      },

      /* The box of a detection with its class and confidence, or null. */
      markFound(edges, text) {
        frame(found, edges);
        tag.textContent = text || "";
        if (!edges) return;
        found.classList.toggle("tag-inside", edges[0] < 0.08 * size[0]);
        found.classList.toggle("tag-right", edges[1] > size[1] / 2);
      },

      dispose: () => watcher.disconnect(),
    };
  };
})();
