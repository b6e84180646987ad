// A container's log, live: what was there, then what comes, no line twice, also over a reconnect.

import { clock, element } from "./dom.js";

const MOST_LINES = 2000;
const TAIL = 300;

// Comparable as text: times may be written with fewer digits.
function moment(timestamp) {
  const [whole, fraction = ""] = (timestamp ?? "").replace("Z", "").split(".");
  return `${whole}.${fraction.padEnd(9, "0")}`;
}

export class Log {
  #node;
  #follow;
  #request;
  #id = null;
  #last = ""; // the moment of the newest line
  #held = null; // lines that come while older ones are asked for

  constructor(node, follow, request) {
    this.#node = node;
    this.#follow = follow;
    this.#request = request;
    follow.addEventListener("change", () => this.#scroll());
  }

  async show(id) {
    this.hide();
    this.#node.replaceChildren();
    this.#id = id;
    this.#last = "";
    await this.read();
  }

  hide() {
    // Whether it was heard does not matter: other containers' lines are passed over.
    if (this.#id) this.#request("unsubscribe_logs", { container_id: this.#id }).catch(() => {});
    this.#id = null;
  }

  // Reads what was missed; after a reconnect the subscription is gone, too.
  async read() {
    const id = this.#id;
    if (!id) return;
    const held = [];
    this.#held = held;
    try {
      await this.#request("subscribe_logs", { container_id: id });
      const { lines, truncated } = await this.#request("get_logs", { container_id: id, tail: TAIL, since: null });
      if (this.#held !== held || this.#id !== id) return;
      const missed = this.#last && (truncated || lines.length === TAIL) && lines.length && moment(lines[0].timestamp) > this.#last;
      if (missed) this.#tell("… some lines are left out …");
      this.#add(lines);
    } catch (error) {
      if (this.#id === id) this.#tell(`The log cannot be read: ${error.message}`);
    } finally {
      if (this.#held === held) {
        this.#held = null;
        if (this.#id === id) this.#add(held);
      }
    }
  }

  take({ container_id: id, lines, dropped }) {
    if (id !== this.#id) return;
    if (dropped) this.#tell(`… ${dropped} lines are left out …`);
    if (this.#held) this.#held.push(...lines.slice(-MOST_LINES));
    else this.#append(lines);
  }

  // Only what is newer than the newest that is shown.
  #add(lines) {
    const last = this.#last;
    this.#append(lines.filter(({ timestamp }) => moment(timestamp) > last));
  }

  #append(lines) {
    const block = document.createDocumentFragment();
    for (const { timestamp, stream, text } of lines.slice(-MOST_LINES)) {
      const line = element("div", stream === "stderr" ? "stderr" : "", block);
      element("time", "", line, clock(timestamp)).dateTime = timestamp ?? "";
      line.append(text);
      if (moment(timestamp) > this.#last) this.#last = moment(timestamp);
    }
    this.#show(block);
  }

  #tell(text) {
    this.#show(element("div", "told", null, text));
  }

  #show(node) {
    this.#node.append(node);
    while (this.#node.childElementCount > MOST_LINES) this.#node.firstElementChild.remove();
    this.#scroll();
  }

  #scroll() {
    if (this.#follow.checked) this.#node.scrollTop = this.#node.scrollHeight;
  }
}
