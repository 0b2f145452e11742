/* Gradient descent and losses on points that the reader moves; see explore.md. The note's
   page has the descent alone.
   The arithmetic comes first, free of the page, so that it can be tested. */
(function () {
  "use strict";

  /* A line y = slope * unit * x + level: columns (unit * x, 1), no intercept beside. */
  function moments(points, unit) {
    const n = points.length;
    const m = { xx: 0, x1: 0, xy: 0, y1: 0, yy: 0 };
    for (const [x, y] of points) {
      m.xx += (unit * x) ** 2 / n;
      m.x1 += (unit * x) / n;
      m.xy += (unit * x * y) / n;
      m.y1 += y / n;
      m.yy += y ** 2 / n;
    }
    const half = (m.xx + 1) / 2;
    const root = Math.hypot((m.xx - 1) / 2, m.x1);
    const smallest = (m.xx - m.x1 ** 2) / (half + root);
    const determinant = m.xx - m.x1 ** 2;
    return {
      ...m,
      largest: half + root,
      condition: (half + root) / smallest,
      limit: 1 / (half + root),
      best: [(m.xy - m.x1 * m.y1) / determinant, (m.xx * m.y1 - m.x1 * m.xy) / determinant],
    };
  }

  function meanSquare(m, [w, b]) {
    return m.yy - 2 * (w * m.xy + b * m.y1) + w * w * m.xx + 2 * w * b * m.x1 + b * b;
  }

  function descend(m, epsilon, steps) {
    const path = [[0, 0]];
    for (let t = 0; t < steps; t++) {
      const [w, b] = path[t];
      path.push([
        w - 2 * epsilon * (w * m.xx + b * m.x1 - m.xy),
        b - 2 * epsilon * (w * m.x1 + b - m.y1),
      ]);
    }
    return { path, curve: path.map((at) => meanSquare(m, at)) };
  }

  function meanLoss(points, line, loss) {
    const losses = points.map(([x, y]) => loss(y - line[0] * x - line[1]));
    return losses.reduce((sum, each) => sum + each, 0) / points.length;
  }

  /* The optimum of a quantile goes through two points: all pairs are tried. */
  function quantileLine(points, level) {
    const loss = (error) => error * (level - (error < 0 ? 1 : 0));
    let best = null;
    let least = Infinity;
    for (let i = 0; i < points.length; i++) {
      for (let j = 0; j < i; j++) {
        const width = points[i][0] - points[j][0];
        if (Math.abs(width) < 1e-9) continue;
        const slope = (points[i][1] - points[j][1]) / width;
        const line = [slope, points[i][1] - slope * points[i][0]];
        const found = meanLoss(points, line, loss);
        if (found < least) [best, least] = [line, found];
      }
    }
    return best;
  }

  /* Least squares with weights min(1, delta / |error|), until they stay. */
  function huberLine(points, delta) {
    let line = weightedLine(points, points.map(() => 1));
    for (let step = 0; step < 1000; step++) {
      const weights = points.map(([x, y]) => {
        const size = Math.abs(y - line[0] * x - line[1]);
        return size <= delta ? 1 : delta / size;
      });
      const next = weightedLine(points, weights);
      const change = Math.abs(next[0] - line[0]) + Math.abs(next[1] - line[1]);
      line = next;
      if (change < 1e-12) break;
    }
    return line;
  }

  function weightedLine(points, weights) {
    let [s, x, y, xx, xy] = [0, 0, 0, 0, 0];
    points.forEach(([px, py], i) => {
      s += weights[i];
      x += weights[i] * px;
      y += weights[i] * py;
      xx += weights[i] * px * px;
      xy += weights[i] * px * py;
    });
    const slope = (s * xy - x * y) / (s * xx - x * x);
    return [slope, (y - slope * x) / s];
  }

  const arithmetic = { moments, descend, quantileLine, huberLine };
  if (typeof module !== "undefined") module.exports = arithmetic;
  if (typeof document === "undefined") return;

  const STEPS = 60;
  const SIZE = 300;
  const COLORS = { path: "#D55E00", quantile: "#2E86D0", huber: "#009E73" };
  const points = [
    [-1.6, -0.9], [-1.1, -0.2], [-0.5, -0.6], [0.1, 0.7], [0.7, 0.5],
    [1.2, 1.6], [1.7, 1.2], [2.1, 2.6],
  ];
  const X_RANGE = [-2.5, 2.5];
  const Y_RANGE = [-3, 4];

  function make(parent, name, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.appendChild(element);
    return element;
  }

  function panel(id, title) {
    const svg = make(document.getElementById(id), "svg", {
      viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", "aria-label": title, class: "explore",
    });
    make(svg, "rect", {
      x: 1, y: 1, width: SIZE - 2, height: SIZE - 2, fill: "none",
      stroke: "currentColor", "stroke-opacity": 0.3,
    });
    make(svg, "text", { x: 10, y: 20, fill: "currentColor", "font-size": 13 }).textContent =
      title;
    return make(svg, "g", {});
  }

  /* Scales that map [low, high] to the panel, the second one upwards. */
  function scales(xs, ys) {
    return [
      (x) => ((x - xs[0]) / (xs[1] - xs[0])) * SIZE,
      (y) => SIZE - ((y - ys[0]) / (ys[1] - ys[0])) * SIZE,
    ];
  }

  function draw(group, places, [sx, sy], attributes) {
    const inside = (value) => Math.max(-SIZE, Math.min(2 * SIZE, value));
    const d = places
      .filter((place) => place.every(Number.isFinite))
      .map(([x, y], i) => `${i ? "L" : "M"}${inside(sx(x)).toFixed(1)} ${inside(sy(y)).toFixed(1)}`)
      .join("");
    if (d) make(group, "path", { d, fill: "none", stroke: "currentColor", ...attributes });
  }

  function write(group, x, y, text, fill) {
    make(group, "text", { x, y, fill, "font-size": 12, "text-anchor": "end" }).textContent = text;
  }

  const data = panel("explore-data", "eight points: drag them");
  const contours = panel("explore-contours", "slope (across) and intercept (up)");
  const curve = panel("explore-curve", "loss above its minimum, step by step");
  const losses =
    document.getElementById("explore-losses") &&
    panel("explore-losses", "lines by three losses: drag the points");

  const input = (id) => Number(document.getElementById(id).value);
  const say = (id, text) => { document.getElementById(id).textContent = text; };
  const number = (value) => String(Number(value.toPrecision(3)));

  function clear(group) {
    while (group.firstChild) group.removeChild(group.firstChild);
  }

  function drawLine(group, line, attributes) {
    const ends = X_RANGE.map((x) => [x, line[0] * x + line[1]]);
    draw(group, ends, scales(X_RANGE, Y_RANGE), { "stroke-width": 2, ...attributes });
  }

  let moved = null;

  /* Points to drag lie above what is drawn anew; a wide clear rim is for fingers. */
  function pointsAbove(group) {
    const svg = group.ownerSVGElement;
    const circles = points.map((_, i) => {
      const circle = make(svg, "circle", {
        r: 7, fill: "currentColor", "fill-opacity": 0.55, style: "cursor: grab",
        stroke: "transparent", "stroke-width": 14,
      });
      circle.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        moved = { i, svg };
      });
      // Or else the page would scroll with the finger.
      circle.addEventListener("touchstart", (event) => event.preventDefault());
      return circle;
    });
    return () => {
      const [sx, sy] = scales(X_RANGE, Y_RANGE);
      circles.forEach((circle, i) => {
        circle.setAttribute("cx", sx(points[i][0]));
        circle.setAttribute("cy", sy(points[i][1]));
      });
    };
  }

  const placePoints = [data, losses].filter(Boolean).map(pointsAbove);
  document.addEventListener("pointermove", (event) => {
    if (!moved) return;
    const box = moved.svg.getBoundingClientRect();
    const at = (share, [low, high]) => low + Math.max(0.02, Math.min(0.98, share)) * (high - low);
    points[moved.i] = [
      at((event.clientX - box.left) / box.width, X_RANGE),
      at(1 - (event.clientY - box.top) / box.height, Y_RANGE),
    ];
    update();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    document.addEventListener(name, () => { moved = null; });
  }

  function drawContours(m, path) {
    clear(contours);
    const least = meanSquare(m, m.best);
    const start = Math.max(meanSquare(m, [0, 0]) - least, 1e-6);
    const l = Math.sqrt(m.xx);
    const lower = Math.sqrt(1 - (m.x1 / l) ** 2);
    const reach = Math.sqrt(1.5 * start);
    const wide = [reach / Math.sqrt(m.xx - m.x1 ** 2), reach * Math.sqrt(m.xx) / Math.sqrt(m.xx - m.x1 ** 2)];
    const window_ = scales(
      [m.best[0] - wide[0], m.best[0] + wide[0]], [m.best[1] - wide[1], m.best[1] + wide[1]]
    );
    for (const share of [1, 1 / 4, 1 / 16, 1 / 64]) {
      const ring = [];
      for (let i = 0; i <= 90; i++) {
        const [c, s] = [Math.cos((i * Math.PI) / 45), Math.sin((i * Math.PI) / 45)];
        const size = Math.sqrt(start * share);
        const b = (size * s) / lower;
        ring.push([m.best[0] + (size * c - (m.x1 / l) * b) / l, m.best[1] + b]);
      }
      draw(contours, ring, window_, { "stroke-opacity": 0.3 });
    }
    draw(contours, path, window_, { stroke: COLORS.path, "stroke-width": 1.5 });
    path.forEach(([w, b]) => {
      const [x, y] = [window_[0](w), window_[1](b)];
      if (x > 0 && x < SIZE && y > 0 && y < SIZE) {
        make(contours, "circle", { cx: x, cy: y, r: 2.2, fill: COLORS.path });
      }
    });
    make(contours, "circle", {
      cx: window_[0](m.best[0]), cy: window_[1](m.best[1]), r: 7, fill: "none",
      stroke: "currentColor", "stroke-width": 2,
    });
  }

  function drawCurve(m, values) {
    clear(curve);
    const least = meanSquare(m, m.best);
    const logs = values.map((value, t) => [
      t, Math.log10(Math.max((value - least) / (values[0] - least), 1e-10)),
    ]);
    const window_ = scales([-2, STEPS + 2], [-10.5, 4.5]);
    for (const level of [0, -4, -8]) {
      draw(curve, [[-2, level], [STEPS + 2, level]], window_, { "stroke-opacity": 0.2 });
      const label = level ? `1e${level}` : "start";
      write(curve, SIZE - 6, window_[1](level) - 4, label, "currentColor");
    }
    draw(curve, logs, window_, { stroke: COLORS.path, "stroke-width": 2 });
    draw(curve, [[0, 0], [1, -10]], window_, { "stroke-dasharray": "4 3" });
    make(curve, "text", {
      x: window_[0](1) + 8, y: window_[1](-9), fill: "currentColor", "font-size": 12,
    }).textContent = '"auto"';
  }

  function updateDescent() {
    const unit = 10 ** input("explore-unit");
    const epsilon = 10 ** input("explore-epsilon");
    const m = moments(points, unit);
    const { path, curve: values } = descend(m, epsilon, STEPS);
    clear(data);
    drawLine(data, [m.best[0] * unit, m.best[1]], { "stroke-opacity": 0.4, "stroke-dasharray": "6 4" });
    const end = path[STEPS];
    if (end.every(Number.isFinite)) drawLine(data, [end[0] * unit, end[1]], { stroke: COLORS.path });
    drawContours(m, path);
    drawCurve(m, values);
    say("explore-epsilon-value", number(epsilon));
    say("explore-unit-value", `x times ${number(unit)}, condition number ${number(m.condition)}`);
    document.getElementById("explore-verdict").className =
      epsilon < m.limit ? "" : "explore-divergent";
    say(
      "explore-verdict",
      epsilon < m.limit
        ? `Stable: ${number(epsilon)} is below ${number(m.limit)}, the largest stable learning rate.`
        : `Divergent: ${number(epsilon)} is not below ${number(m.limit)}, the largest stable learning rate.`
    );
  }

  function updateLosses() {
    const level = input("explore-level");
    const delta = 10 ** input("explore-delta");
    clear(losses);
    drawLine(losses, weightedLine(points, points.map(() => 1)), { "stroke-opacity": 0.4, "stroke-dasharray": "6 4" });
    const quantile = quantileLine(points, level);
    if (quantile) drawLine(losses, quantile, { stroke: COLORS.quantile });
    drawLine(losses, huberLine(points, delta), { stroke: COLORS.huber });
    write(losses, SIZE - 10, SIZE - 44, "quantile", COLORS.quantile);
    write(losses, SIZE - 10, SIZE - 27, "Huber's loss", COLORS.huber);
    write(losses, SIZE - 10, SIZE - 10, "least squares, dashed", "currentColor");
    say("explore-level-value", number(level));
    say("explore-delta-value", number(delta));
  }

  function update() {
    updateDescent();
    if (losses) updateLosses();
    for (const place of placePoints) place();
  }

  for (const slider of document.querySelectorAll(".explore-controls input")) {
    slider.addEventListener("input", update);
  }
  update();
})();
