// Refused requests

function showRefused(refused) {
  const seen = JSON.stringify(refused);
  if (seen === refusedSeen) return;
  refusedSeen = seen;
  byId("refused").hidden = refused.length === 0;
  byId("no-refused").hidden = refused.length > 0;
  byId("refused").tBodies[0].replaceChildren(...refused.map((one) => {
    const row = document.createElement("tr");
    element("td", "", row, clock(Date.parse(one.at) / 1000));
    element("td", "", row, one.operation);
    element("td", "", row, String(one.status));
    element("td", "code", row, one.code);
    element("td", "message", row, one.message);
    element("td", "", row, String(one.points));
    return row;
  }));
}

// Asking

function forget() {
  visible.disconnect();
  metrics.clear();
  accepted = 0;
  arrange();
  forgetLogs();
}

async function ask() {
  const answer = await fetch(`/updates?after=${accepted}&points=${POINTS}`, {
    cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

async function update() {
  let news = await ask();
  if (started !== null && news.started !== started) {
    forget();
    news = await ask();
  }
  ({ started, accepted, now } = news);
  const additions = news.series.filter(take);
  if (additions.length > 0) arrange();
  for (const metric of metrics.values()) if (metric.inView) draw(metric);
  byId("no-metrics").hidden = metrics.size > 0;
  const count = (number, what) => `${number.toLocaleString("en")} ${what}`;
  setText(byId("totals"), `${count(metrics.size, "metrics")}, ${count(accepted, "points")} in ${count(news.requests, "requests")}; ${count(news.logs.accepted, "log events")} in ${count(news.logs.batches, "batches")}`);
  showRefused(news.refused);
  showStreams(news.logs);
  await followLogs();
}

async function live() {
  try {
    if (!document.hidden) {
      await update();
      byId("state").className = "";
      setText(byId("state"), "live");
    }
  } catch {
    byId("state").className = "lost";
    setText(byId("state"), "the endpoint does not answer");
  }
  setTimeout(live, EVERY_MS);
}

byId("filter").addEventListener("input", filter);
live();
