#!/usr/bin/env node
// A client of flow-manager in JavaScript.
//
//     npm ci
//     node client.js list
//     node client.js create_container '{"image":"flow:1","name":"a","command":["node","/app/flow.js"]}'
//     node client.js start_container '{"container_id":"a"}'
//     node client.js send_message '{"container_id":"a","message":{"command":"dump"},"await_reply":true}'
//     node client.js watch
//
// The token stands in `FLOW_MANAGER_TOKEN`, the address in `FLOW_MANAGER_URL`. Take `FlowManager` along: it has
// requests with their answers, and the events of the rooms, none twice and none left out over a reconnect.

import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { io } from "socket.io-client";

const ROOM_OF = { status_update: "all", activity_log: "all", container_message: "operate" };
const PATIENCE_MS = 150_000; // an engine may pull an image

// An answer that says `error: true`.
export class Refused extends Error {
  constructor(answer) {
    super(answer.message);
    this.code = answer.details.code;
    this.answer = answer;
  }
}

// A connection. `onEvent(name, data)` is given the events of the rooms; `onGap()` is called where some may be missing,
// so that all must be listed again: after the first connection, and where flow-manager was started anew.
export class FlowManager {
  #socket;
  #onEvent;
  #onGap;
  #epoch = null;
  #last = {};
  #held = null; // events that wait until the ones before them are known

  constructor(url, token, { onEvent = () => {}, onGap = () => {}, transports } = {}) {
    this.#onEvent = onEvent;
    this.#onGap = onGap;
    this.#socket = io(url, { auth: { token }, autoConnect: false, ...(transports && { transports }) });
    this.#socket.on("connect", () => this.#connected());
    // It connects again by itself, but not where the server ended it.
    this.#socket.on("disconnect", (reason) => {
      if (reason === "io server disconnect") setTimeout(() => this.#socket.connect(), 1000);
    });
    for (const name of Object.keys(ROOM_OF)) this.#socket.on(name, (data) => this.#take(name, data));
  }

  // Resolves when connected for the first time. A refusal's message is the code.
  connect() {
    return new Promise((resolve, reject) => {
      this.#socket.once("connect", resolve);
      this.#socket.once("connect_error", reject);
      this.#socket.connect();
    });
  }

  disconnect() {
    this.#socket.disconnect();
  }

  // Gives the answer, or throws. Nothing is kept for later: a deletion must not happen after a reconnect.
  async request(event, data = {}) {
    if (!this.#socket.connected) throw new Error("not connected");
    const answer = await this.#socket.timeout(PATIENCE_MS).emitWithAck(event, data);
    if (answer.error === true) throw new Refused(answer);
    return answer;
  }

  async #connected() {
    const held = [];
    this.#held = held;
    let missed = null;
    if (this.#last.all !== undefined) {
      // Where the connection is lost meanwhile, the next one asks again.
      const answer = await this.request("resume", { epoch: this.#epoch, last_seq: this.#last }).catch(() => null);
      if (answer?.complete) missed = answer.events;
    }
    if (this.#held !== held || !this.#socket.connected) return;
    this.#held = null;
    if (missed === null) {
      this.#epoch = null;
      this.#last = {};
      this.#onGap();
    }
    for (const { event, data } of [...(missed ?? []), ...held]) this.#take(event, data);
  }

  #take(event, data) {
    if (this.#held !== null) {
      this.#held.push({ event, data });
      return;
    }
    if (data.epoch !== this.#epoch) {
      this.#epoch = data.epoch;
      this.#last = {};
    }
    const room = ROOM_OF[event];
    if (data.seq <= (this.#last[room] ?? 0)) return;
    this.#last[room] = data.seq;
    this.#onEvent(event, data);
  }
}

async function main([command, data]) {
  const { FLOW_MANAGER_URL: url = "http://127.0.0.1:7070", FLOW_MANAGER_TOKEN: token } = process.env;
  const onEvent = command === "watch" ? (event, told) => console.log(JSON.stringify({ event, ...told })) : undefined;
  const manager = new FlowManager(url, token, { onEvent });
  try {
    await manager.connect();
    if (command === "watch") return;
    const event = command === "list" ? "list_containers" : command;
    console.log(JSON.stringify(await manager.request(event, data && JSON.parse(data)), null, 2));
  } catch (error) {
    console.error(error.code ? `${error.code}: ${error.message}` : error.message);
    process.exitCode = 1;
  }
  manager.disconnect();
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2));
}
