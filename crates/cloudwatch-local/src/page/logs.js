// Logs

const EVENTS_FIRST = 500;  // the latest, when a stream is opened
const EVENTS_SHOWN = 1000;
const TEXT_SHOWN = 20000;  // of one event
const SEARCH_PAUSE_MS = 250;

// What is open: a group or one of its streams; `next` is the place from which to follow.
let opened = null, next = null, reading = 0, streamsSeen = "";

// One list of buttons: each group, and below it its streams.
function showStreams(logs) {
  byId("logs").hidden = logs.groups.length === 0;
  byId("no-logs").hidden = logs.groups.length > 0;
  if (opened === null && logs.groups.length > 0) open(logs.groups[0].name, null);
  const dropped = logs.dropped > 0 ? ` ${logs.dropped.toLocaleString("en")} of the oldest events went, for there were too many.` : "";
  setText(byId("logs-note"), `In order of arrival.${dropped}`);
  const rows = logs.groups.flatMap((group) => [
    { group: group.name, stream: null, text: group.name, events: group.streams.reduce((sum, stream) => sum + stream.events, 0) },
    ...group.streams.map((stream) => ({ group: group.name, stream: stream.name, text: stream.name, events: stream.events })),
  ]);
  const seen = JSON.stringify(rows.map((row) => [row.group, row.stream]));
  const focused = document.activeElement;
  if (seen !== streamsSeen) {
    streamsSeen = seen;
    const known = new Map([...byId("streams").children].map((one) => [one.firstElementChild.dataset.key, one]));
    byId("streams").replaceChildren(...rows.map((row) => known.get(keyOf(row)) ?? makeRow(row)));
    // What is put into the list anew loses the focus.
    if (byId("streams").contains(focused)) focused.focus({ preventScroll: true });
  }
  rows.forEach((row, i) => setText(byId("streams").children[i].querySelector(".count"), row.events.toLocaleString("en")));
  markOpened();
}

function keyOf({ group, stream }) {
  return JSON.stringify([group, stream]);
}

function makeRow(row) {
  const made = document.createElement("li");
  const button = element("button", row.stream === null ? "group" : "stream", made);
  button.type = "button";
  button.dataset.key = keyOf(row);
  element("span", "name", button, row.text);
  element("span", "count", button);
  button.addEventListener("click", () => open(row.group, row.stream));
  return made;
}

function markOpened() {
  for (const button of byId("streams").querySelectorAll("button")) {
    button.setAttribute("aria-current", String(button.dataset.key === opened));
  }
}

function open(group, stream) {
  opened = keyOf({ group, stream });
  markOpened();
  byId("events").setAttribute("aria-label", `log events of ${group}${stream === null ? "" : ` ${stream}`}`);
  reload();
}

function forgetLogs() {
  opened = null;
  next = null;
  byId("events").querySelector("ol").replaceChildren();
}

function reload() {
  next = null;
  return readLogs().catch(() => {});
}

// Asks for the latest events, or for those that came since. The answer to a question that
// was replaced meanwhile is thrown away.
async function readLogs() {
  if (opened === null) return;
  const [group, stream] = JSON.parse(opened);
  const query = new URLSearchParams({ group, filter: byId("search").value });
  if (stream !== null) query.set("stream", stream);
  const isFirst = next === null;
  if (isFirst) {
    query.set("latest", "1");
    query.set("limit", EVENTS_FIRST);
  } else {
    query.set("after", next);
    query.set("limit", EVENTS_SHOWN);
  }
  reading += 1;
  const mine = reading;
  const answer = await fetch(`/logs/events?${query}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  const news = await answer.json();
  if (mine !== reading) return;
  const isBad = answer.status === 400;
  byId("search-error").hidden = !isBad;
  setText(byId("search-error"), isBad ? news.error : "");
  byId("search").setAttribute("aria-invalid", String(isBad));
  if (!answer.ok) return;
  showEvents(news.events, isFirst, stream === null);
  next = news.next;
}

function showEvents(events, isFirst, withStream) {
  const list = byId("events").querySelector("ol");
  const rows = events.map((event) => makeEvent(event, withStream));
  if (isFirst) list.replaceChildren(...rows);
  else list.append(...rows);
  while (list.childElementCount > EVENTS_SHOWN) list.firstElementChild.remove();
  byId("no-events").hidden = list.childElementCount > 0;
  if (rows.length > 0 && byId("follow").checked) toEnd();
}

function toEnd() {
  byId("events").scrollTop = byId("events").scrollHeight;
}

function makeEvent(event, withStream) {
  const row = document.createElement("li");
  const time = element("time", "", row, `${clock(Math.floor(event.timestamp_ms / 1000))}.${String(event.timestamp_ms % 1000).padStart(3, "0")}`);
  const at = new Date(event.timestamp_ms);
  if (!Number.isNaN(at.getTime())) {
    time.dateTime = at.toISOString();
    time.title = `${time.dateTime}, event ${event.number} of batch ${event.batch}`;
  }
  if (withStream) element("span", "stream", row, event.stream);
  const rest = event.message.length - TEXT_SHOWN;
  const text = rest > 0 ? `${event.message.slice(0, TEXT_SHOWN)} … and ${rest.toLocaleString("en")} characters more` : event.message;
  element("span", "message", row, text);
  return row;
}

async function followLogs() {
  if (byId("follow").checked || next === null) await readLogs();
}

let searchTimer = 0;
byId("search").addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(reload, SEARCH_PAUSE_MS);
});
byId("follow").addEventListener("change", () => {
  if (byId("follow").checked) reload().then(toEnd);
});

// Who scrolls back wants to read, so nothing moves until he follows again.
let scrolledTo = 0;
byId("events").addEventListener("scroll", () => {
  const { scrollTop, scrollHeight, clientHeight } = byId("events");
  const isAtEnd = scrollHeight - clientHeight - scrollTop < 8;
  if (scrollTop < scrolledTo && !isAtEnd) byId("follow").checked = false;
  scrolledTo = scrollTop;
});

// Arrows go through groups and streams; a slash, anywhere but in a field, goes to the search.
byId("streams").addEventListener("keydown", (event) => {
  const buttons = [...byId("streams").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (at < 0 || to === undefined || !buttons[to]) return;
  event.preventDefault();
  buttons[to].focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
  event.preventDefault();
  byId("search").focus();
});

