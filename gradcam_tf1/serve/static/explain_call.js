/* Sends an image and a question to the server, and tells how far it is. Leaving the call cancels it there. */
"use strict";

(function () {
  const GONE = "The server does not answer; is it still running?";

  /* The text of a body, line by line. */
  async function* lines(body) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = parts.pop();
      yield* parts;
    }
  }

  async function refusal(response) {
    if (response.status === 401) return "The token is not known any more; open /login.";
    if (response.status === 413) return "The image is larger than the server takes.";
    try {
      return (await response.json()).error;
    } catch (error) {
      return "The server answers with status " + response.status + ".";
    }
  }

  async function send(image, pairs, signal) {
    const form = new FormData();
    form.append("image", image, image.name || "pasted image");
    for (const [name, value] of pairs) form.append(name, value);
    try {
      return await fetch("/explain", { method: "POST", body: form, headers: { Accept: "application/x-ndjson" }, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error(GONE);
    }
  }

  /* A promise of the record of `image` (a File or Blob). `pairs` are parameters; `told` gets each state on the way. */
  gradcam.explain = async function (image, pairs, signal, told) {
    const response = await send(image, pairs, signal);
    if (!response.ok) throw new Error(await refusal(response));
    for await (const line of lines(response.body)) {
      const state = JSON.parse(line);
      if (state.state === "failed") throw new Error(state.error);
      if (state.state === "done") return state.answer.images[0];
      told(state);
    }
    throw new Error(GONE);
  };
})();
