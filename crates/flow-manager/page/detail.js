// One container: its facts, its log, and messages to and from it.

import { byId, bytes, clock, element, Feed, setText } from "./dom.js";
import { Log } from "./log.js";

const MOST_MESSAGES = 200;
const MOST_SHOWN = 4000; // characters of a message

function shown(value) {
  const text = JSON.stringify(value);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

export class Detail {
  #request;
  #log;
  #feed = new Feed(byId("messages"), MOST_MESSAGES);
  #id = null;
  #close;

  constructor(request, close) {
    this.#request = request;
    this.#close = close;
    this.#log = new Log(byId("log"), byId("follow"), request);
    byId("close-detail").addEventListener("click", () => this.#close(this.#id));
    byId("message").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(event.target);
    });
    byId("message").elements.data.addEventListener("input", (event) => event.target.setCustomValidity(""));
  }

  get id() {
    return this.#id;
  }

  open(container) {
    byId("detail").hidden = false;
    if (this.#id !== container.id) {
      this.#id = container.id;
      this.#feed.clear();
      this.#log.show(container.id);
    }
    this.draw(container);
    byId("detail-title").focus();
    byId("detail").scrollIntoView({ block: "nearest" });
  }

  hide() {
    this.#log.hide();
    this.#id = null;
    byId("detail").hidden = true;
  }

  // What was missed over a reconnect.
  readOn() {
    this.#log.read();
  }

  draw({ id, info, status }) {
    if (id !== this.#id) return;
    setText(byId("detail-title"), info.name);
    const usage = status?.resource_usage;
    const facts = [
      ["Id", id.slice(0, 12)],
      ["Image", info.image],
      ["Created", clock(info.created)],
      ["Ports", Object.entries(info.ports).map(([inside, outside]) => `${outside} → ${inside}`).join(", ")],
      ["Environment", Object.entries(info.environment).map(([name, value]) => `${name}=${value}`).join(", ")],
      ["Last heard of", status?.last_communication ? clock(status.last_communication) : ""],
      ["Network", usage ? `${bytes(usage.network_rx_bytes)} in, ${bytes(usage.network_tx_bytes)} out` : ""],
      ["Disk", usage ? `${bytes(usage.block_read_bytes)} read, ${bytes(usage.block_write_bytes)} written` : ""],
      ["Processes", usage ? String(usage.pids) : ""],
    ];
    const list = byId("facts");
    list.replaceChildren();
    for (const [title, text] of facts) {
      if (!text) continue;
      element("dt", "", list, title);
      element("dd", "", list, text);
    }
  }

  take(name, data) {
    if (name === "log_lines") this.#log.take(data);
    if (name === "container_message" && data.container_id === this.#id) {
      const what = data.name ? `${data.kind} ${data.name}` : data.kind;
      this.#feed.add(new Date().toISOString(), what, { code: shown(data.data ?? null) });
    }
  }

  async #send(form) {
    const { command, data: field, await: awaits, timeout } = form.elements;
    let data;
    try {
      data = field.value.trim() ? JSON.parse(field.value) : {};
    } catch (error) {
      field.setCustomValidity(`This is no JSON: ${error.message}`);
      form.reportValidity();
      return;
    }
    const id = this.#id;
    const seconds = Number(timeout.value);
    const message = { command: command.value, data };
    this.#feed.add(new Date().toISOString(), `sent ${command.value}`, { code: shown(data) });
    const answered = (text, more) => this.#id === id && this.#feed.add(new Date().toISOString(), text, more);
    try {
      const answer = await this.#request("send_message",
        { container_id: id, message, await_reply: awaits.checked, timeout_seconds: seconds }, (seconds + 10) * 1000);
      const { reply } = answer;
      if (!reply) answered(`${answer.message_id} was written to its socket`);
      else if (reply.ok) answered("reply", { code: shown(reply.data ?? null) });
      else answered(`failed: ${reply.error?.code}: ${reply.error?.message}`, { bad: true });
    } catch (error) {
      answered(`${error.code ?? "not sent"}: ${error.message}`, { bad: true });
    }
  }
}
