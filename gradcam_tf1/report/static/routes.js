/* Every view has an address behind the #, so that it can be linked: #/image/000012?class=24&sort=surest */
"use strict";

(function () {
  function read() {
    const [path, query] = location.hash.replace(/^#\/?/, "").split("?", 2);
    const [page, id] = path.split("/", 2);
    return {
      page: page || "images",
      id: id === undefined ? null : decode(id),
      query: new URLSearchParams(query || ""),
    };
  }

  function decode(text) {
    try {
      return decodeURIComponent(text);
    } catch (error) {
      if (error instanceof URIError) return text; // a half-typed %: no image has such a name
      throw error;
    }
  }

  function link(page, id, query) {
    const words = String(query || "");
    return (
      "#/" + page + (id === null || id === undefined ? "" : "/" + encodeURIComponent(id)) + (words ? "?" + words : "")
    );
  }

  /* `query` with some words changed; empty ones are left out. */
  function changed(query, words) {
    const next = new URLSearchParams(query);
    for (const [name, value] of Object.entries(words)) {
      if (value === "" || value === null || value === undefined) next.delete(name);
      else next.set(name, String(value));
    }
    return next;
  }

  let opened = null; // the address whose view is shown
  let open = null;

  function arrive() {
    if (location.hash === opened) return;
    opened = location.hash;
    open();
  }

  /* Go to an address at once: the event of the browser comes after the next key. */
  function follow(address) {
    location.hash = address;
    arrive();
  }

  /* Change the address of the view that is shown. */
  function replace(page, id, query) {
    history.replaceState(null, "", link(page, id, query));
    opened = location.hash;
  }

  gradcam.routes = {
    read,
    link,
    changed,
    follow,
    replace,
    go: (page, id, query) => follow(link(page, id, query)),
    listen(opener) {
      open = opener;
      addEventListener("hashchange", arrive);
      arrive();
    },
  };
})();
