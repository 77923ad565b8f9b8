/* The pages of all images and of one image. A page is {element, title, key, update, dispose}. */
"use strict";

(function () {
  const make = (...all) => gradcam.make(...all);
  const { link, go, replace, changed } = gradcam.routes;
  let lastImage = null; // the gallery opens where the visitor left it

  gradcam.galleryPage = function (index, selection, route) {
    let query = route.query;
    const gallery = gradcam.gallery(index, (n) => link("image", index.images.id[n], query));
    const toolbar = gradcam.toolbar(index, selection, query, (words) => {
      query = words === null ? changed(new URLSearchParams(), { sort: query.get("sort") }) : changed(query, words);
      if (words === null) go("images", null, query);
      else replace("images", null, query);
      show();
    });
    const nothing = make("p", { class: "nothing soft", hidden: true }, "No image matches.");
    const unfinished = index.complete ? null : make("p", { class: "notice" }, progress(index));
    const element = make(
      "div",
      {},
      make("h1", { class: "out-of-sight" }, "Images"),
      unfinished,
      toolbar.element,
      nothing,
      gallery.element,
    );

    function show() {
      const order = selection.pick(query);
      nothing.hidden = order.length > 0;
      toolbar.told(order.length, query);
      gallery.show(order);
    }

    return {
      element,
      title: "Images",
      key: gallery.key,
      update: () => false,
      ready() {
        show();
        if (lastImage !== null) gallery.revealImage(lastImage);
      },
      dispose: gallery.dispose,
    };
  };

  function progress(index) {
    const done = index.images.id.length.toLocaleString("en");
    return (
      "The run is not finished: " +
      done +
      (index.total === null ? "" : " of " + index.total.toLocaleString("en")) +
      " images so far."
    );
  }

  /* What is said below the name of an image: its class, and whether that is right. */
  function verdict(images, n) {
    if (images.status[n] !== "ok") return [];
    const said = [make("span", {}, gradcam.className({ class_id: images.class_id[n], label: images.label[n] }))];
    if (images.wrong !== null && images.wrong[n] !== null) {
      said.push(
        images.wrong[n]
          ? make("span", { class: "badge badge-bad" }, "wrong")
          : make("span", { class: "badge" }, "right"),
      );
      if (images.wrong[n]) said.push(make("span", { class: "soft" }, "labelled " + images.truth[n]));
    }
    return said;
  }

  gradcam.imagePage = function (index, selection, route) {
    const images = index.images;
    const title = make("h1", {});
    const under = make("p", { class: "under" });
    const trouble = make("p", { class: "notice notice-bad" });
    const doubt = make("p", { class: "notice" });
    const place = make("span", { class: "soft place" });
    const arrow = (icon, label, key) =>
      make("a", { class: "icon-button", "aria-label": label, title: label + " (" + key + ")" }, gradcam.icon(icon));
    const [back, before, after] = [
      arrow("close", "Back to all images", "Esc"),
      arrow("previous", "Previous image", "←"),
      arrow("next", "Next image", "→"),
    ];
    const holder = make("div", {});
    const steps = make("nav", { class: "steps", "aria-label": "Other images" }, place, before, after, back);
    const element = make(
      "article",
      {},
      make("header", { class: "head" }, make("div", {}, title, under), steps),
      trouble,
      holder,
    );
    const viewer = gradcam.viewer(holder, index.colormap);
    viewer.panel.prepend(doubt);
    const page = { element, title: "", ready() {}, key, update, dispose: viewer.dispose };
    let [query, order, at, id] = [route.query, [], 0, null];

    viewer.onChoice((choice) => {
      query = changed(query, { t: choice.target || "", m: choice.map || "" });
      replace("image", id, query);
    });

    /* Show another image without building the page anew: the settings stay. */
    function update(next) {
      if (next.page !== "image") return false;
      const n = selection.position(next.id);
      [query, id] = [next.query, next.id];
      order = selection.pick(query);
      at = order.indexOf(n);
      lastImage = n;
      page.title = n < 0 ? "No such image" : images.name[n];
      title.textContent = page.title;
      under.replaceChildren(...(n < 0 ? [] : verdict(images, n)));
      tell(doubt, n < 0 ? null : images.doubt[n]);
      tell(trouble, n < 0 ? "The report has no image " + next.id + "." : null);
      place.textContent = at < 0 ? "" : (at + 1).toLocaleString("en") + " of " + order.length.toLocaleString("en");
      back.href = link("images", null, gradcam.filtersOf(query));
      aim(before, order[at - 1]);
      aim(after, at < 0 ? undefined : order[at + 1]);
      holder.hidden = n < 0;
      if (n >= 0) load(next.id, next.query);
      return true;
    }

    function tell(element, sentence) {
      element.hidden = sentence === null;
      element.textContent = sentence || "";
    }

    function aim(anchor, n) {
      anchor.setAttribute("aria-disabled", String(n === undefined));
      if (n === undefined) anchor.removeAttribute("href");
      else anchor.href = link("image", images.id[n], gradcam.filtersOf(query));
    }

    function load(wanted, words) {
      const number = (name) => (words.has(name) ? Number(words.get(name)) || 0 : undefined);
      gradcam.load(wanted).then(
        (record) => {
          if (wanted !== id) return; // the visitor went on
          viewer.show(record, { target: number("t"), map: number("m") });
          const next = order[at + 1];
          if (at >= 0 && next !== undefined && images.status[next] === "ok")
            gradcam.load(images.id[next]).catch(() => {}); // said when it is opened
        },
        (error) => {
          if (wanted !== id) return;
          holder.hidden = true;
          tell(trouble, error.message);
        },
      );
    }

    function key(event) {
      if (viewer.key(event)) return true;
      const target = { ArrowLeft: before, ArrowRight: after, Escape: back }[event.key];
      if (target === undefined || event.shiftKey || !target.hasAttribute("href")) return false;
      gradcam.routes.follow(target.getAttribute("href"));
      return true;
    }

    update(route);
    return page;
  };
})();
