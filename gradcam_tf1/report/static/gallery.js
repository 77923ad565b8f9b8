/* The gallery: cards of thousands of images, of which only those in sight are in the page. */
"use strict";

(function () {
  const make = (...all) => gradcam.make(...all);
  const CAPTION = 66; // pixels below the picture of a card
  const GAP = 14;
  const SPARE_ROWS = 2;
  const FAST = 4; // pixels per millisecond: pictures wait until the scrolling slows down
  const PAUSE = 80; // milliseconds

  /* One card; its picture is asked for by `picture`. */
  function card(index, n, href) {
    const images = index.images;
    const failed = images.status[n] !== "ok";
    const name = images.name[n];
    const label = failed ? "failed" : gradcam.className({ class_id: images.class_id[n], label: images.label[n] });
    const confidence =
      images.probability[n] === null ? gradcam.number(images.score[n]) : gradcam.percent(images.probability[n]);
    const wrong = images.wrong !== null && images.wrong[n] === true;
    const marks = [
      wrong ? make("span", { class: "badge badge-bad" }, "wrong") : null,
      images.doubt[n] !== null
        ? make(
            "span",
            { class: "badge badge-doubt", title: images.doubt[n] },
            "?",
            make("span", { class: "out-of-sight" }, "doubtful"),
          )
        : null,
    ];
    const picture = make("img", { class: "card-picture", alt: "", decoding: "async", draggable: "false" });
    picture.hidden = true;
    picture.addEventListener("load", () => (picture.hidden = false));
    return make(
      "a",
      {
        class: failed ? "card card-failed" : "card",
        href,
        title: wrong ? name + "\nlabelled " + images.truth[n] : name,
      },
      make(
        "span",
        { class: "card-frame" },
        picture,
        failed ? make("span", { class: "card-sign", "aria-hidden": "true" }, "!") : null,
        make("span", { class: "badges" }, ...marks),
      ),
      make(
        "span",
        { class: "card-line" },
        make("strong", {}, label),
        failed ? null : make("span", { class: "soft" }, confidence),
      ),
      gradcam.fileName(name),
    );
  }

  /* `linkOf(n)` is the address of the image at position n of the index. */
  gradcam.gallery = function (index, linkOf) {
    const list = make("div", { class: "gallery", role: "list", "aria-label": "Images" });
    const shown = new Map(); // position in `order` -> the item that holds its card
    let order = [];
    let [columns, side, row, width] = [1, 160, 1, 0];
    let [lastTop, lastTime, timer, frame] = [0, 0, 0, 0];

    function measure() {
      width = list.clientWidth;
      const least = width < 560 ? 150 : 178;
      columns = Math.max(2, Math.floor((width + GAP) / (least + GAP)));
      side = Math.floor((width - GAP * (columns - 1)) / columns);
      row = side + CAPTION + GAP;
      list.style.height = Math.ceil(order.length / columns) * row + "px";
      list.style.setProperty("--side", side + "px");
    }

    function range() {
      const top = -list.getBoundingClientRect().top;
      const first = Math.max(0, Math.floor(top / row) - SPARE_ROWS);
      const last = Math.ceil((top + innerHeight) / row) + SPARE_ROWS;
      return [first * columns, Math.min(order.length, last * columns)];
    }

    const focusedItem = () => (document.activeElement ? document.activeElement.closest(".gallery-item") : null);

    function item(place) {
      const words = {
        "aria-posinset": String(place + 1),
        "aria-setsize": String(order.length),
        "data-place": String(place),
      };
      return make(
        "div",
        { class: "gallery-item", role: "listitem", ...words },
        card(index, order[place], linkOf(order[place])),
      );
    }

    /* Bring the cards in the page in line with what is in sight, in reading order. */
    function render(now) {
      const [first, end] = range();
      for (const [place, element] of shown) {
        if ((place < first || place >= end) && element !== focusedItem()) {
          element.remove();
          shown.delete(place);
        }
      }
      let next = list.firstElementChild;
      for (let place = first; place < end; place++) {
        let element = shown.get(place);
        if (element === undefined) {
          element = item(place);
          shown.set(place, element);
        }
        const [x, y] = [(place % columns) * (side + GAP), Math.floor(place / columns) * row];
        element.style.transform = "translate(" + x + "px, " + y + "px)";
        while (next !== null && Number(next.dataset.place) < place) next = next.nextElementSibling;
        if (next === element) next = next.nextElementSibling;
        else list.insertBefore(element, next);
      }
      clearTimeout(timer);
      if (now) pictures();
      else timer = setTimeout(pictures, PAUSE);
    }

    function pictures() {
      for (const [place, element] of shown) {
        const picture = element.querySelector("img");
        if (picture.hasAttribute("src") || index.images.status[order[place]] !== "ok") continue;
        const url = gradcam.thumb(index.images.id[order[place]]);
        if (url) picture.src = url;
      }
    }

    function onScroll() {
      if (frame) return;
      frame = requestAnimationFrame((time) => {
        frame = 0;
        const speed = Math.abs(scrollY - lastTop) / Math.max(time - lastTime, 1);
        [lastTop, lastTime] = [scrollY, time];
        render(speed < FAST);
      });
    }

    function again() {
      for (const element of shown.values()) element.remove();
      shown.clear();
      measure();
      render(true);
    }

    function reveal(place, focus) {
      const y = list.getBoundingClientRect().top + scrollY + Math.floor(place / columns) * row;
      const seen = y > scrollY + 120 && y + row < scrollY + innerHeight;
      if (!seen) scrollTo(0, y - innerHeight / 2 + row / 2);
      render(true);
      const element = shown.get(place);
      if (element && focus) element.firstElementChild.focus({ preventScroll: true });
    }

    /* Arrows go from card to card; true if the key meant something. */
    function key(event) {
      const focused = focusedItem();
      const from = focused ? Number(focused.dataset.place) : -1;
      const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
      const ends = { Home: 0, End: order.length - 1 };
      if (!order.length || (from < 0 && !["ArrowRight", "ArrowDown"].includes(event.key))) return false;
      let to = ends[event.key];
      if (steps[event.key] !== undefined) to = from < 0 ? range()[0] : from + steps[event.key];
      if (to === undefined || to < 0 || to >= order.length) return false;
      reveal(to, true);
      return true;
    }

    const watcher = new ResizeObserver(() => {
      if (list.clientWidth && list.clientWidth !== width) again();
    });
    addEventListener("scroll", onScroll, { passive: true });
    watcher.observe(list.parentElement || list);

    return {
      element: list,
      key,
      show(next) {
        order = next;
        again();
      },
      revealImage(n) {
        const place = order.indexOf(n);
        if (place >= 0) reveal(place, true);
      },
      dispose() {
        watcher.disconnect();
        removeEventListener("scroll", onScroll);
        clearTimeout(timer);
        cancelAnimationFrame(frame);
      },
    };
  };
})();
