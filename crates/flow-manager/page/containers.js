// The list of containers: what each is and does, and the buttons for it.

import { bytes, duration, element, setHidden, setText } from "./dom.js";

const GOOD = ["running", "healthy"];
const BAD = ["dead", "unhealthy"];
const WAIT = ["paused", "restarting", "removing", "starting"];
const HAS_PROCESS = ["running", "paused", "restarting"];
// In which states a button makes sense.
const ACTIONS = {
  start: ["Start", (state) => ["created", "stopped", "exited"].includes(state)],
  stop: ["Stop", (state) => HAS_PROCESS.includes(state)],
  restart: ["Restart", (state) => ["running", "stopped", "exited"].includes(state)],
  delete: ["Delete", () => true],
};

function markClass(word) {
  const kind = GOOD.includes(word) ? "good" : BAD.includes(word) ? "bad" : WAIT.includes(word) ? "wait" : "";
  return `mark ${kind}`;
}

// The buttons keep the focus while they cannot be used, so they are not `disabled`.
function setUsable(button, usable) {
  button.setAttribute("aria-disabled", String(!usable));
}

export function isRunning(container) {
  return HAS_PROCESS.includes(container.state);
}

export class Containers {
  #list;
  #count;
  #none;
  #act;
  #rows = new Map();
  #filter = "";

  // `act(action, container)` does what a button says, and resolves when it is done.
  constructor(list, count, none, act) {
    this.#list = list;
    this.#count = count;
    this.#none = none;
    this.#act = act;
  }

  get ids() {
    return [...this.#rows.keys()];
  }

  get(id) {
    return this.#rows.get(id)?.container;
  }

  replace(infos) {
    const there = new Set(infos.map(({ id }) => id));
    for (const id of this.ids) if (!there.has(id)) this.remove(id);
    for (const info of infos) this.add(info);
  }

  add(info) {
    const row = this.#rows.get(info.id) ?? this.#make(info);
    row.container.info = info;
    // What was known of another state says nothing of this one.
    if (row.container.state !== info.status) row.container.status = null;
    row.container.state = info.status;
    this.#draw(row);
    this.#drawCount();
  }

  setStatus(id, status) {
    const row = this.#rows.get(id);
    if (!row) return;
    row.container.status = status;
    row.container.state = status.state;
    row.since = performance.now();
    this.#draw(row);
  }

  remove(id) {
    const row = this.#rows.get(id);
    if (!row) return;
    const focused = row.element.contains(document.activeElement);
    const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
    this.#rows.delete(id);
    row.element.remove();
    this.#drawCount();
    if (focused) (next?.querySelector("button") ?? document.getElementById("containers-title")).focus();
  }

  choose(id) {
    for (const [one, { element, open }] of this.#rows) {
      element.classList.toggle("chosen", one === id);
      open.setAttribute("aria-expanded", String(one === id));
    }
  }

  filter(text) {
    this.#filter = text.trim().toLowerCase();
    for (const row of this.#rows.values()) this.#drawHidden(row);
    this.#drawCount();
  }

  // Uptimes go on between two answers.
  tick() {
    for (const row of this.#rows.values()) this.#drawUptime(row);
  }

  focus(id) {
    this.#rows.get(id)?.open.focus();
  }

  #make(info) {
    const node = element("li");
    const head = element("div", "head", node);
    const row = {
      container: { id: info.id, info, status: null, state: info.status },
      since: 0,
      element: node,
      name: element("span", "name", head),
      image: element("span", "image", head),
      state: element("span", "mark", head),
      health: element("span", "mark", head),
      socket: element("span", "mark good", head, "connected"),
      figures: {},
      buttons: {},
      busy: false,
    };
    const figures = element("div", "figures", node);
    for (const [key, title] of [["uptime", "up "], ["cpu", "CPU "], ["memory", "memory "]]) {
      const figure = element("span", "", figures, title);
      row.figures[key] = element("b", "", figure);
    }
    const actions = element("div", "actions", node);
    row.open = element("button", "", actions, "Open");
    row.open.addEventListener("click", () => this.#act("open", row.container));
    row.open.setAttribute("aria-controls", "detail");
    row.open.setAttribute("aria-expanded", "false");
    for (const [action, [title]] of Object.entries(ACTIONS)) {
      const button = element("button", action === "delete" ? "danger" : "", actions, title);
      row.buttons[action] = button;
      button.addEventListener("click", () => this.#press(row, action));
    }
    this.#rows.set(info.id, row);
    this.#list.append(node);
    return row;
  }

  async #press(row, action) {
    if (row.busy || !ACTIONS[action][1](row.container.state)) return;
    row.busy = true;
    this.#draw(row);
    await this.#act(action, row.container);
    row.busy = false;
    this.#draw(row);
  }

  #draw(row) {
    const { info, status, state } = row.container;
    setText(row.name, info.name);
    setText(row.image, info.image);
    setText(row.state, state);
    row.state.className = markClass(state);
    const health = status?.health ?? "none";
    setText(row.health, health);
    row.health.className = markClass(health);
    setHidden(row.health, health === "none");
    setHidden(row.socket, !status?.socket_connected);
    row.element.setAttribute("aria-busy", String(row.busy));
    row.open.setAttribute("aria-label", `Open ${info.name}`);
    for (const [action, [title, makesSense]] of Object.entries(ACTIONS)) {
      row.buttons[action].setAttribute("aria-label", `${title} ${info.name}`);
      setUsable(row.buttons[action], !row.busy && makesSense(state));
    }
    const usage = isRunning(row.container) ? status?.resource_usage : null;
    this.#drawFigure(row.figures.cpu, usage && `${usage.cpu_percent.toFixed(1)} %`);
    this.#drawFigure(row.figures.memory, usage && `${bytes(usage.memory_bytes)} of ${bytes(usage.memory_limit_bytes)}`);
    this.#drawUptime(row);
    this.#drawHidden(row);
  }

  #drawUptime(row) {
    const { status } = row.container;
    const runs = isRunning(row.container) && typeof status?.uptime === "number";
    this.#drawFigure(row.figures.uptime, runs && duration(status.uptime + (performance.now() - row.since) / 1000));
  }

  #drawFigure(node, text) {
    setHidden(node.parentElement, !text);
    if (text) setText(node, text);
  }

  #drawHidden({ element: node, container: { info, state } }) {
    const text = `${info.name} ${info.image} ${state} ${info.id}`.toLowerCase();
    setHidden(node, !text.includes(this.#filter));
  }

  #drawCount() {
    const shown = this.#list.querySelectorAll(":scope > li:not([hidden])").length;
    const all = this.#rows.size;
    setText(this.#count, shown === all ? `(${all})` : `(${shown} of ${all})`);
    setHidden(this.#none, all > 0);
    setHidden(this.#list, all === 0);
  }
}
