// The connection to flow-manager: the token, requests with their answers, and the events of the rooms, none twice and
// none left out over a reconnect.

const ROOM_OF = { status_update: "all", activity_log: "all", container_message: "operate" };
const PATIENCE_MS = 150_000; // an engine may pull an image
const RESUME_MS = 10_000;
const RETRY_MS = 2000;
// The refusals that another token cures. Any other passes with time.
const TOKEN_CODES = ["missing_token", "invalid_token"];

// An answer that says `error: true`.
export class Refusal extends Error {
  constructor({ message, details }) {
    super(message);
    this.code = details?.code ?? "unknown";
  }
}

export class Connection {
  #socket = null;
  #token = "";
  #on;
  #epoch = null;
  #last = {}; // the last seq of each room
  #held = null; // events that wait until the ones before them are known
  #retry = null;

  // `on` has state(text, kind), refused(code), history(events) with what the server remembers, fresh() when all must be
  // listed, connected(), and event(name, data).
  constructor(on) {
    this.#on = on;
  }

  open(token) {
    this.close();
    this.#token = token;
    const socket = io({ auth: (give) => give(this.#token ? { token: this.#token } : {}), reconnectionDelayMax: 5000 });
    this.#socket = socket;
    this.#on.state("connecting", "waiting");
    socket.on("connect", () => this.#connected(socket));
    socket.on("disconnect", () => {
      this.#on.state("disconnected", "lost");
      this.#again();
    });
    socket.on("connect_error", (error) => {
      if (!socket.active && TOKEN_CODES.includes(error.message)) {
        this.#on.state("not connected", "lost");
        this.#on.refused(error.message);
        return;
      }
      this.#on.state(socket.active ? "no answer, trying again" : `refused: ${error.message}, trying again`, "lost");
      this.#again();
    });
    for (const name of Object.keys(ROOM_OF)) socket.on(name, (data) => this.#hold(name, data));
    socket.on("log_lines", (data) => this.#on.event("log_lines", data));
  }

  close() {
    clearTimeout(this.#retry);
    this.#socket?.removeAllListeners();
    this.#socket?.disconnect();
    this.#socket = null;
    this.#epoch = null;
    this.#last = {};
  }

  get isConnected() {
    return this.#socket?.connected ?? false;
  }

  // Gives the answer, or throws. Nothing is kept for later: a deletion must not happen after a reconnect.
  async request(name, data, patience = PATIENCE_MS) {
    if (!this.isConnected) throw new Error("not connected");
    const answer = await this.#socket.timeout(patience).emitWithAck(name, data);
    if (answer?.error === true) throw new Refusal(answer);
    return answer;
  }

  // The client connects again by itself, but not where the server ended it.
  #again() {
    if (this.#socket?.active) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#socket?.connect(), RETRY_MS);
  }

  async #connected(socket) {
    const held = [];
    this.#held = held;
    this.#on.state("connected", "");
    const missed = await this.#missed();
    // A later connection has events of its own.
    if (this.#socket !== socket || this.#held !== held) return;
    if (missed) {
      for (const { event, data } of missed) this.#take(event, data);
    } else {
      const events = await this.#begin();
      await this.#on.fresh();
      if (this.#held !== held) return;
      // Behind the list, which has the names.
      if (events) this.#on.history(events);
    }
    this.#held = null;
    for (const [name, data] of held) this.#take(name, data);
    this.#on.connected();
  }

  // The events since the last one, or nothing if they cannot be told.
  async #missed() {
    if (this.#epoch === null || this.#last.all === undefined) return null;
    try {
      const resume = { epoch: this.#epoch, last_seq: this.#last };
      const answer = await this.request("resume", resume, RESUME_MS);
      if (answer.complete) return answer.events;
    } catch {
      // Then all is listed.
    }
    this.#epoch = null;
    this.#last = {};
    return null;
  }

  // Which epoch it is; gives what happened in it: all of it, or nothing if that is too much.
  async #begin() {
    try {
      const { epoch } = await this.request("resume", { epoch: "", last_seq: {} }, RESUME_MS);
      const { complete, events } = await this.request("resume", { epoch, last_seq: { all: 0 } }, RESUME_MS);
      if (!complete) return null;
      this.#epoch = epoch;
      this.#last = { all: events.at(-1)?.data.seq ?? 0 };
      return events;
    } catch {
      // It is for people to look at, and nothing depends on it.
      return null;
    }
  }

  #hold(name, data) {
    if (this.#held) this.#held.push([name, data]);
    else this.#take(name, data);
  }

  #take(name, data) {
    const room = ROOM_OF[name];
    if (room === undefined) return;
    if (data.epoch !== this.#epoch) {
      this.#epoch = data.epoch;
      this.#last = {};
    }
    if (data.seq <= (this.#last[room] ?? 0)) return;
    this.#last[room] = data.seq;
    this.#on.event(name, data);
  }
}
