// The page: what its parts tell each other.

import { Connection, Refusal } from "./connection.js";
import { Containers, isRunning } from "./containers.js";
import { Detail } from "./detail.js";
import { byId, Feed } from "./dom.js";
import { request as createRequest } from "./form.js";

const TOKEN = "flow-manager-token"; // of this tab's session, nowhere else
const MOST_ACTIVITIES = 200;
const FIGURES_MS = 5000; // flow-manager's own are no newer
const ASKED_AT_ONCE = 4;
const NAMELESS = ["container_message", "actor_event"]; // kinds of activity
const DONE = { start: "started", stop: "stopped", restart: "restarted", delete: "deleted" };

const activity = new Feed(byId("activity"), MOST_ACTIVITIES, byId("no-activity"));
const containers = new Containers(byId("containers"), byId("count"), byId("no-containers"), act);
const connection = new Connection({ state, refused, history, fresh, connected, event });
const detail = new Detail((...words) => connection.request(...words), closeDetail);

// Telling

function state(text, kind) {
  const node = byId("state");
  if (node.textContent !== text) node.textContent = text;
  node.className = kind;
}

function done(text) {
  byId("done").textContent = text;
}

function failed(what, error) {
  const text = error instanceof Refusal ? `${what}: ${error.message} (${error.code})` : `${what}: ${error.message}`;
  byId("notice").firstElementChild.textContent = text;
  byId("notice").hidden = false;
}

function quiet() {
  byId("notice").hidden = true;
}

// The server

async function fresh() {
  try {
    const answer = await connection.request("list_containers", {});
    containers.replace(answer.containers);
    if (detail.id && !containers.get(detail.id)) closeDetail();
  } catch (error) {
    failed("The containers cannot be listed", error);
  }
}

function history(events) {
  activity.clear();
  for (const { event: name, data } of events.filter((one) => one.event === "activity_log").slice(-MOST_ACTIVITIES)) {
    event(name, data);
  }
}

function connected() {
  byId("sign-out").hidden = false;
  detail.readOn();
  figures();
}

function event(name, data) {
  const id = data.container_id;
  if (name === "status_update") setStatus(id, data.status);
  else if (name === "activity_log") activity.add(data.timestamp, sentence(data));
  else detail.take(name, data);
}

// Messages and what flows tell of themselves name no container.
function sentence({ type, container_id: id, message }) {
  if (!NAMELESS.includes(type)) return message;
  return `${containers.get(id)?.info.name ?? id.slice(0, 12)}: ${message}`;
}

async function setStatus(id, status) {
  if (status === null) {
    if (detail.id === id) closeDetail();
    containers.remove(id);
    return;
  }
  if (!containers.get(id)) await fresh();
  containers.setStatus(id, status);
  if (containers.get(id)) detail.draw(containers.get(id));
}

let asking = false;

// Asks for the figures of all that may have changed, a few at a time, one round at a time.
async function figures() {
  if (asking || document.hidden || !connection.isConnected) return;
  asking = true;
  const ids = containers.ids.filter((id) => isRunning(containers.get(id)) || !containers.get(id).status);
  const ask = async () => {
    for (let id = ids.shift(); id; id = ids.shift()) {
      try {
        const { status } = await connection.request("get_status", { container_id: id });
        if (containers.get(id)) await setStatus(id, status);
      } catch (error) {
        if (error.code === "container_not_found") await setStatus(id, null);
      }
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, ask));
  asking = false;
}

// What the buttons do

async function act(action, container) {
  const { id, info } = container;
  if (action === "open") return open(container);
  if (action === "delete" && !(await confirmDeletion(container))) return;
  quiet();
  const more = action === "delete" ? { force: isRunning(container) } : {};
  try {
    const answer = await connection.request(`${action}_container`, { container_id: id, ...more });
    await setStatus(id, action === "delete" ? null : answer.status);
    done(`${info.name} ${DONE[action]}`);
  } catch (error) {
    failed(`${info.name} was not ${DONE[action]}`, error);
  }
}

function open(container) {
  containers.choose(container.id);
  detail.open(container);
}

function closeDetail(focusId) {
  const had = byId("detail").contains(document.activeElement);
  detail.hide();
  containers.choose(null);
  if (focusId) containers.focus(focusId);
  else if (had) byId("containers-title").focus();
}

function confirmDeletion(container) {
  const dialog = byId("delete-dialog");
  byId("delete-title").textContent = `Delete ${container.info.name}?`;
  byId("delete-text").textContent = isRunning(container)
    ? "It is running, and is killed. Its log and the files that it wrote go with it."
    : "Its log and the files that it wrote go with it.";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
  });
}

// Dialogs

function refuse(dialog, text) {
  const node = dialog.querySelector(".refused");
  node.textContent = text ?? "";
  node.hidden = !text;
}

function askToken(text) {
  const dialog = byId("token-dialog");
  refuse(dialog, text);
  if (!dialog.open) dialog.showModal();
}

function refused(code) {
  sessionStorage.removeItem(TOKEN);
  byId("sign-out").hidden = true;
  askToken(code === "missing_token" ? "flow-manager asks for a token." : `That token was refused (${code}).`);
}

byId("token-dialog").addEventListener("cancel", (cancel) => cancel.preventDefault());
byId("token-dialog").addEventListener("close", () => {
  const field = byId("token-dialog").querySelector("input");
  const token = field.value.trim();
  field.value = "";
  sessionStorage.setItem(TOKEN, token);
  connection.open(token);
});

byId("sign-out").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  // Nothing of what was shown stays.
  location.reload();
});

const createForm = byId("create-dialog").querySelector("form");

createForm.addEventListener("submit", async (submit) => {
  submit.preventDefault();
  const dialog = byId("create-dialog");
  const button = createForm.querySelector("button.main");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  refuse(dialog, null);
  try {
    const { container } = await connection.request("create_container", createRequest(createForm.elements));
    containers.add(container);
    const starts = createForm.elements.start.checked;
    createForm.reset();
    dialog.close();
    done(`${container.name} created`);
    containers.focus(container.id);
    if (starts) await act("start", containers.get(container.id));
    else figures();
  } catch (error) {
    refuse(dialog, error instanceof Refusal ? `${error.message} (${error.code})` : error.message);
  } finally {
    button.removeAttribute("aria-disabled");
  }
});

createForm.querySelector(".cancel").addEventListener("click", () => byId("create-dialog").close());
byId("create").addEventListener("click", () => {
  refuse(byId("create-dialog"), null);
  byId("create-dialog").showModal();
});
byId("notice").querySelector("button").addEventListener("click", quiet);
byId("filter").addEventListener("input", (input) => containers.filter(input.target.value));
document.addEventListener("visibilitychange", figures);

setInterval(figures, FIGURES_MS);
setInterval(() => containers.tick(), 1000);
containers.replace([]);

const kept = sessionStorage.getItem(TOKEN);
if (kept === null) askToken();
else connection.open(kept);
