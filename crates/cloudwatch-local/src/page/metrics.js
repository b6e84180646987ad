// Metrics

function makeMetric(series) {
  const card = element("article", "");
  const title = element("h3", "", card);
  element("span", "namespace", title, `${series.namespace} / `);
  title.append(series.name);
  const dimensions = element("ul", "dimensions", card);
  dimensions.setAttribute("aria-label", "dimensions");
  for (const [name, value] of Object.entries(series.dimensions)) {
    element("li", "", dimensions, `${name} = ${value}`);
  }
  const latest = element("p", "latest", card);
  const metric = {
    card, points: [], inView: true,
    latest: element("b", "", latest), unit: element("span", "unit", latest), count: element("span", "count", latest),
    chart: shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, card),
    label: [series.namespace, series.name, ...Object.entries(series.dimensions).flat()].join(" "),
  };
  shape("path", { class: "base", d: `M0 ${HEIGHT}H${WIDTH}` }, metric.chart);
  metric.area = shape("path", { class: "area" }, metric.chart);
  metric.stroke = shape("path", { class: "stroke" }, metric.chart);
  const axis = element("p", "axis", card);
  metric.from = element("span", "", axis);
  metric.range = element("span", "", axis);
  metric.to = element("span", "", axis);
  metric.chart.addEventListener("pointermove", (event) => pointAt(metric, event));
  metric.chart.addEventListener("pointerleave", () => { metric.pointed = null; draw(metric); });
  card.metric = metric;
  visible.observe(card);
  return metric;
}

function take(series) {
  const key = JSON.stringify([series.namespace, series.name, series.dimensions]);
  let metric = metrics.get(key);
  const isNew = !metric;
  if (isNew) {
    metric = makeMetric(series);
    metrics.set(key, metric);
  }
  const last = metric.points.at(-1)?.[0] ?? -Infinity;
  const isLate = series.new_points.some(([at], i, all) => at < (i ? all[i - 1][0] : last));
  metric.points.push(...series.new_points);
  // Points that were held through an outage come after younger ones.
  if (isLate) metric.points.sort((a, b) => a[0] - b[0]);
  metric.points.splice(0, metric.points.length - POINTS);
  setText(metric.latest, number(metric.points.at(-1)[1]));
  setText(metric.unit, series.unit);
  setText(metric.count, series.point_count === 1 ? "1 point" : `${series.point_count.toLocaleString("en")} points`);
  if (isNew) draw(metric);
  return isNew;
}

function arrange() {
  const sorted = [...metrics.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  byId("metrics").replaceChildren(...sorted.map(([, metric]) => metric.card));
  filter();
}

function filter() {
  const words = byId("filter").value.toLowerCase().split(/\s+/);
  for (const { card, label } of metrics.values()) {
    card.hidden = !words.every((word) => label.toLowerCase().includes(word));
  }
}

// The seconds from one point to the next, as most of them are.
function usualStep(points) {
  const steps = points.slice(1).map(([at], i) => at - points[i][0]).sort((a, b) => a - b);
  return steps[steps.length >> 1] ?? 0;
}

function draw(metric) {
  const { points } = metric;
  const first = points[0][0], end = Math.max(now / 1000, points.at(-1)[0]);
  let low = Infinity, high = -Infinity;
  for (const [, value] of points) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  metric.x = (at) => ((at - first) / Math.max(end - first, 1)) * WIDTH;
  const y = (value) => {
    const share = high > low ? (value - low) / (high - low) : 0.5;
    return HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN);
  };
  // The line breaks where points are missing: a gap shall be seen.
  const gap = 2 * usualStep(points);
  let line = "", area = "", from = 0;
  for (let i = 0; i < points.length; i++) {
    const [at, value] = points[i];
    const place = `${metric.x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    const begins = i === 0 || at - points[i - 1][0] > gap;
    if (begins) from = metric.x(at).toFixed(1);
    line += begins ? `M${place}h0` : `L${place}`;
    area += begins ? `M${from} ${HEIGHT}L${place}` : `L${place}`;
    const ends = i + 1 === points.length || points[i + 1][0] - at > gap;
    if (ends) area += `L${metric.x(at).toFixed(1)} ${HEIGHT}Z`;
  }
  metric.stroke.setAttribute("d", line);
  metric.area.setAttribute("d", area);
  const range = low === high ? `always ${number(low)}` : `${number(low)} to ${number(high)}`;
  setText(metric.from, clock(first));
  setText(metric.to, clock(Math.floor(end)));
  setText(metric.range, metric.pointed ? `${clock(metric.pointed[0])}: ${number(metric.pointed[1])}` : range);
  metric.chart.setAttribute("aria-label", `chart from ${clock(first)} to ${clock(Math.floor(end))}: ${range}`);
}

function pointAt(metric, event) {
  const box = metric.chart.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * WIDTH;
  const distance = ([at]) => Math.abs(metric.x(at) - x);
  metric.pointed = metric.points.reduce((a, b) => (distance(b) < distance(a) ? b : a));
  draw(metric);
}

