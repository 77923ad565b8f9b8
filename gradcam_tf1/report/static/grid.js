/* A heat map as numbers: its value at any place of the image, and its picture. */
"use strict";

(function () {
  const LONGEST = 512; // pixels of a drawn map; the browser scales it smoothly to the screen
  const SMALL = 128;

  /* The two cells beside each position, and the weight of the second. Beyond the outer centres: the edge cell. */
  function neighbours(positions, start, step, count) {
    const first = new Int32Array(positions.length);
    const second = new Int32Array(positions.length);
    const weight = new Float64Array(positions.length);
    positions.forEach((position, n) => {
      const place = Math.min(Math.max((position - start) / step, 0), count - 1);
      first[n] = Math.floor(place);
      second[n] = Math.min(first[n] + 1, count - 1);
      weight[n] = place - first[n];
    });
    return { first, second, weight };
  }

  const centres = (pixels, length) => Array.from({ length: pixels }, (_, n) => ((n + 0.5) * length) / pixels);

  /* 256 colours as bytes r, g, b, a. */
  function colours(colormap, threshold, alpha, even) {
    const table = gradcam.colormaps[colormap];
    const diverging = colormap === "diverging";
    const bytes = new Uint8ClampedArray(1024);
    for (let level = 0; level < 256; level++) {
      // zero of a diverging map lies between two levels: both count as zero
      const strength = diverging ? (Math.abs(2 * level - 255) - 1) / 254 : level / 255;
      const shown = strength >= threshold;
      bytes.set(table[level], 4 * level);
      bytes[4 * level + 3] = shown ? 255 * alpha * (even ? 1 : strength) : 0;
    }
    return new Uint32Array(bytes.buffer);
  }

  /* `source` is a grid of a record, `size` the [height, width] of its image. */
  gradcam.grid = function (source, size) {
    const { rows, cols, low, high, seen } = source;
    const [height, width] = size || [seen[2], seen[3]];
    const text = atob(source.data);
    const cells = Float64Array.from({ length: rows * cols }, (_, n) => low + ((high - low) * text.charCodeAt(n)) / 255);
    const magnitude = Math.max(-low, high);

    function value(rowPlaces, i, colPlaces, j) {
      const above = rowPlaces.first[i] * cols;
      const below = rowPlaces.second[i] * cols;
      const [left, right, across] = [colPlaces.first[j], colPlaces.second[j], colPlaces.weight[j]];
      const top = cells[above + left] + across * (cells[above + right] - cells[above + left]);
      const bottom = cells[below + left] + across * (cells[below + right] - cells[below + left]);
      return top + rowPlaces.weight[i] * (bottom - top);
    }

    const rowPlaces = (positions) => neighbours(positions, source.top, source.row_step, rows);
    const colPlaces = (positions) => neighbours(positions, source.left, source.col_step, cols);

    /* The value at a place in pixel coordinates of the image; NaN where the net did not look. */
    function at(row, col) {
      if (row < seen[0] || row > seen[2] || col < seen[1] || col > seen[3]) return NaN;
      return value(rowPlaces([row]), 0, colPlaces([col]), 0);
    }

    /* The value as a share of the highest, 0..1; in a diverging colour map 0.5 stands for zero. */
    function share(number, colormap) {
      if (colormap === "diverging") return magnitude > 0 ? 0.5 + (0.5 * number) / magnitude : 0.5;
      return high > 0 ? Math.max(number, 0) / high : 0;
    }

    /* Draw the whole image's extent: values below `threshold` and places outside `seen` stay clear.
       `alpha` is the opacity of the highest value, with `even` that of all values. */
    function draw(canvas, colormap, threshold, alpha, { even = false, small = false } = {}) {
      const scale = (small ? SMALL : LONGEST) / Math.max(height, width);
      canvas.height = Math.max(1, Math.round(height * scale));
      canvas.width = Math.max(1, Math.round(width * scale));
      const rowCentres = centres(canvas.height, height);
      const colCentres = centres(canvas.width, width);
      const [down, across] = [rowPlaces(rowCentres), colPlaces(colCentres)];
      const palette = colours(colormap, threshold, alpha, even);
      const pixels = new Uint32Array(canvas.height * canvas.width);
      for (let i = 0; i < canvas.height; i++) {
        if (rowCentres[i] < seen[0] || rowCentres[i] > seen[2]) continue;
        for (let j = 0; j < canvas.width; j++) {
          if (colCentres[j] < seen[1] || colCentres[j] > seen[3]) continue;
          pixels[i * canvas.width + j] = palette[Math.round(255 * share(value(down, i, across, j), colormap))];
        }
      }
      const bytes = new Uint8ClampedArray(pixels.buffer);
      canvas.getContext("2d").putImageData(new ImageData(bytes, canvas.width, canvas.height), 0, 0);
    }

    return { at, share, draw, low, high, magnitude };
  };

  /* The colours from low to high on a canvas, with the numbers at its ends. */
  gradcam.legend = function (grid, colormap) {
    const strip = gradcam.make("canvas", { class: "legend-strip", width: "256", height: "1", "aria-hidden": "true" });
    const pixels = new Uint8ClampedArray(1024).fill(255);
    gradcam.colormaps[colormap].forEach((colour, level) => pixels.set(colour, 4 * level));
    strip.getContext("2d").putImageData(new ImageData(pixels, 256, 1), 0, 0);
    const ends = colormap === "diverging" ? [-grid.magnitude, 0, grid.magnitude] : [0, Math.max(grid.high, 0)];
    const numbers = ends.map((end) => gradcam.make("span", {}, gradcam.number(end)));
    return gradcam.make("div", { class: "legend" }, strip, gradcam.make("div", { class: "legend-ends" }, ...numbers));
  };
})();
