// The official client, told line by line what to do, and telling line by line what comes.
//
//     {"id":1,"do":"open","url":"…","token":"…","transports":["websocket"]}
//     {"id":2,"do":"request","event":"list_containers","arguments":[{}]}
//     {"id":3,"do":"close"}
//
// Answers have the id; `{"event":…,"arguments":[…]}` is what the server emitted.
"use strict";

const readline = require("node:readline");
const { io } = require("socket.io-client");

let socket = null;
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function open({ url, token, transports }) {
  const auth = token === null ? {} : { token };
  socket = io(url, { auth, transports, reconnectionDelay: 100, reconnectionDelayMax: 1000, forceNew: true });
  socket.on("connect", () => tell({ event: "connect", arguments: [socket.io.engine.transport.name] }));
  socket.on("disconnect", (reason) => tell({ event: "disconnect", arguments: [reason] }));
  socket.on("connect_error", (error) => {
    if (!socket.active) tell({ event: "connect_error", arguments: [error.message] });
  });
  socket.onAny((event, ...words) => tell({ event, arguments: words }));
}

const does = {
  open,
  request: ({ event, arguments: words }) => socket.timeout(60_000).emitWithAck(event, ...words),
  emit: ({ event, arguments: words }) => void socket.emit(event, ...words),
  close: () => void socket.disconnect(),
};

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, do: what, ...wish } = JSON.parse(line);
  try {
    tell({ id, answer: (await does[what](wish)) ?? null });
  } catch (error) {
    tell({ id, failed: error.message });
  }
}).on("close", () => process.exit(0));
