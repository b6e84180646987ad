#!/usr/bin/env node
// A flow in JavaScript, with the whole flow socket protocol, version 1, and nothing but Node's standard library.
//
//     FLOW_SOCKET=/run/flow/flow.sock node flow.js
//
// Take `Flow` along and write a `handle` of your own. What `event` and `actor` were given is kept until flow-manager
// has acknowledged it, and sent again after each reconnect: at least once, in order, also over restarts of flow-manager.
"use strict";

const crypto = require("node:crypto");
const net = require("node:net");
const { setTimeout: sleep } = require("node:timers/promises");

const VERSION = 1;
const MAX_LINE = 1_048_576; // bytes of a line with its newline
const MAX_NAME = 256; // bytes of a name, an actor, an event
const MAX_DEPTH = 64; // nested objects and arrays of a line
const KEPT_EVENTS = 10_000; // what may wait for its acknowledgement: so many,
const KEPT_BYTES = 16 * 1_048_576; // and so many bytes
const COMMANDS = 64; // that wait for `handle`; then nothing more is read
const FIRST_DELAY = 100, LAST_DELAY = 5000; // milliseconds before connecting again
const PATIENCE = 10_000; // milliseconds that connecting, and the welcome, may take
const NEWLINE = 10;
const PONG = '{"type":"pong"}\n';

// An error with the code that a reply carries.
class FlowError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

// Refuses what would end the connection, for it would be sent again after each reconnect, for ever.
function check(value, depth) {
  if (depth > MAX_DEPTH) throw new FlowError("not_sendable", `nested deeper than ${MAX_DEPTH}`);
  if (typeof value === "string" && !value.isWellFormed()) throw new FlowError("not_sendable", "half a character");
  if (value === null || typeof value !== "object") return;
  for (const [key, one] of Object.entries(value)) {
    check(key, depth);
    check(one, depth + 1);
  }
}

function lineOf(message) {
  check(message, 0);
  const line = Buffer.from(JSON.stringify(message) + "\n");
  if (line.length > MAX_LINE) throw new FlowError("not_sendable", `${line.length} bytes, more than ${MAX_LINE}`);
  return line;
}

// First in, first out, without moving what waits.
class Queue {
  #items = [];
  #first = 0;
  get length() { return this.#items.length - this.#first; }
  get first() { return this.#items[this.#first]; }
  push(item) { this.#items.push(item); }
  shift() {
    const item = this.#items[this.#first];
    this.#items[this.#first++] = undefined;
    if (this.#first > 1000 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }
}

// The connection to flow-manager.
class Flow {
  #path;
  #handle;
  #session = crypto.randomUUID();
  #lastSeq = 0;
  #sent = new Queue(); // { seq, line }: sent on this connection, not yet acknowledged
  #waiting = new Queue(); // { seq, line }: not yet sent on this connection
  #keptBytes = 0;
  #room = []; // who waits for room
  #commands = new Queue();
  #working = false;
  #socket = null;
  #welcomed = false;
  #code = null; // why flow-manager ended the connection
  #delay = FIRST_DELAY;
  #pong = null;
  #rest = []; // the pieces of a line whose newline has not come
  #restBytes = 0;

  constructor(path, handle) {
    this.#path = path;
    this.#handle = handle;
  }

  get unacknowledged() { return this.#sent.length + this.#waiting.length; }

  event(name, data = {}) {
    this.#keep({ type: "event", name }, data);
  }

  actor(actor, event, data = {}) {
    this.#keep({ type: "actor", actor, event }, data);
  }

  // Resolves when something more is kept. Not for `handle`: acknowledgements come behind the commands.
  async room() {
    while (!this.#hasRoom(1)) await new Promise((resolve) => this.#room.push(resolve));
  }

  #hasRoom(more) {
    return this.unacknowledged < KEPT_EVENTS && this.#keptBytes + more <= KEPT_BYTES;
  }

  #keep(names, data) {
    for (const name of Object.values(names)) {
      if (typeof name !== "string" || !name || Buffer.byteLength(name) > MAX_NAME) {
        throw new FlowError("not_sendable", `a name is a text of 1 to ${MAX_NAME} bytes`);
      }
    }
    const seq = this.#lastSeq + 1;
    const line = lineOf({ seq, ...names, data });
    if (!this.#hasRoom(line.length)) throw new FlowError("buffer_full", "too much is not yet acknowledged");
    this.#lastSeq = seq;
    this.#keptBytes += line.length;
    this.#waiting.push({ seq, line });
    this.#flush();
  }

  // Connects, again and again.
  run() {
    const socket = net.createConnection(this.#path);
    this.#socket = socket;
    this.#welcomed = false;
    this.#code = null;
    this.#rest = [];
    this.#restBytes = 0;
    let reason = "flow-manager closed the connection";
    socket.setTimeout(PATIENCE, () => {
      if (!socket.isPaused()) socket.destroy(new Error("nothing was heard"));
    });
    socket.on("connect", () => socket.write(lineOf({ type: "hello", version: VERSION, session: this.#session })));
    socket.on("drain", () => this.#flush());
    socket.on("error", (error) => { reason = error.message; });
    socket.on("data", (part) => {
      try {
        this.#read(part);
      } catch (error) {
        socket.destroy(error);
      }
    });
    socket.on("close", () => this.#again(reason));
  }

  #again(reason) {
    this.#socket = null;
    clearInterval(this.#pong);
    if (this.#welcomed && this.#code === null) this.#delay = FIRST_DELAY;
    // Another process has this socket now: do not take turns with it ten times a second.
    if (this.#code === "replaced") this.#delay = LAST_DELAY;
    console.error(`not connected: ${reason}`);
    setTimeout(() => this.run(), this.#delay * (0.5 + Math.random() / 2));
    this.#delay = Math.min(2 * this.#delay, LAST_DELAY);
  }

  #read(part) {
    let begin = 0;
    let end = part.indexOf(NEWLINE);
    while (end >= 0) {
      const line = Buffer.concat([...this.#rest, part.subarray(begin, end)]);
      this.#rest = [];
      this.#restBytes = 0;
      if (line.length >= MAX_LINE) throw new Error("a line is too long");
      this.#take(JSON.parse(line.toString()));
      begin = end + 1;
      end = part.indexOf(NEWLINE, begin);
    }
    if (begin < part.length) this.#rest.push(part.subarray(begin));
    this.#restBytes += part.length - begin;
    if (this.#restBytes >= MAX_LINE) throw new Error("a line is too long");
  }

  #take(message) {
    switch (message?.type) {
      case "error":
        this.#code = message.code;
        throw new Error(`${message.code}: ${message.message}`);
      case "welcome":
        if (!this.#welcomed) this.#begin(message.received, Math.min(message.ping_seconds, 3600));
        break;
      case "ack":
        this.#drop(this.#sent, message.seq);
        break;
      case "ping":
        // Piled up, one says as much as many.
        if (!this.#socket.writableNeedDrain) this.#socket.write(PONG);
        break;
      case "message":
        this.#commands.push({ socket: this.#socket, message });
        if (this.#commands.length >= COMMANDS) this.#socket.pause();
        this.#work();
    }
  }

  #begin(received, ping) {
    if (!Number.isFinite(received) || !Number.isFinite(ping)) throw new Error("a welcome that says nothing");
    // It pings when it has been idle for that long, so twice that time without a word is an end.
    this.#socket.setTimeout((2 * ping + 5) * 1000);
    // Unasked: while too many commands wait, no ping is read.
    this.#pong = setInterval((socket) => socket.isPaused() && socket.write(PONG), ping * 1000, this.#socket);
    while (this.#waiting.length) this.#sent.push(this.#waiting.shift());
    [this.#waiting, this.#sent] = [this.#sent, this.#waiting];
    this.#welcomed = true;
    this.#drop(this.#waiting, received);
    this.#flush();
  }

  #drop(lines, seq) {
    while (lines.length && lines.first.seq <= seq) this.#keptBytes -= lines.shift().line.length;
    for (const resolve of this.#room.splice(0)) resolve();
  }

  // Writes events until the socket has enough; goes on when it is drained.
  #flush() {
    if (!this.#socket || !this.#welcomed) return;
    this.#socket.cork();
    while (this.#waiting.length && !this.#socket.writableNeedDrain) {
      const one = this.#waiting.shift();
      this.#sent.push(one);
      this.#socket.write(one.line);
    }
    // In the next turn, so that lines of one turn leave together.
    process.nextTick((socket) => socket.uncork(), this.#socket);
  }

  // Does one command after the other.
  async #work() {
    if (this.#working) return;
    this.#working = true;
    while (this.#commands.length) {
      const { socket, message } = this.#commands.shift();
      const line = await this.#replyTo(message);
      // A reply to a connection that is gone would reach nobody.
      if (message.reply && socket === this.#socket && !socket.write(line)) {
        await new Promise((resolve) => socket.once("drain", resolve).once("close", resolve));
      }
      if (socket === this.#socket && socket.isPaused() && this.#commands.length < COMMANDS / 2) socket.resume();
    }
    this.#working = false;
  }

  async #replyTo({ id, command, data }) {
    try {
      return lineOf({ type: "reply", id, ok: true, data: (await this.#handle(this, command, data)) ?? null });
    } catch (error) {
      // Short, and without half characters, so that it can always be sent.
      const text = String(error.message).slice(0, 1000).toWellFormed();
      const code = error instanceof FlowError ? error.code : "failed";
      return lineOf({ type: "reply", id, ok: false, error: { code, message: text } });
    }
  }
}

// The commands of this example. What it returns is the reply's data.
async function handle(flow, command, data) {
  if (command !== "echo") console.log(`command ${command}`);
  switch (command) {
    case "echo":
      return data;
    case "dump":
      return { language: "javascript", pid: process.pid, not_acknowledged: flow.unacknowledged };
    case "emit":
      await sleep((data.delay_seconds ?? 0) * 1000);
      for (let done = 1; done <= data.count; done++) {
        flow.event(data.name ?? "progress", { done, filling: data.filling ?? "" });
      }
      return { emitted: data.count };
    case "load":
      flow.actor("loader", "finished", data);
      return {};
    case "nest": {
      let nested = {};
      for (let depth = 0; depth < data.depth; depth++) nested = { in: nested };
      flow.event("nested", nested);
      return {};
    }
    case "exit":
      return process.exit(data.code ?? 0);
    default:
      throw new FlowError("unknown_command", `no command ${command}`);
  }
}

// Process 1 of a container has no signal handlers unless it sets them.
process.on("SIGTERM", () => process.exit(0));
const flow = new Flow(process.env.FLOW_SOCKET ?? "/run/flow/flow.sock", handle);
console.log("started");
flow.actor("flow", "started");
flow.run();
