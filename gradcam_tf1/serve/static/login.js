/* A link with the token behind # logs in at once. That part of an address is never sent, and it is removed here. */
"use strict";

(function () {
  const token = location.hash.slice(1);
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  document.getElementById("token").value = token;
  document.getElementById("login").requestSubmit();
})();
