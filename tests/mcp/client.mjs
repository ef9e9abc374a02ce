// Carries the lines of ringfence's client, which talks to servers over standard input and output, to a
// server of the conformance suite over HTTP and back. It adds the headers that HTTP wants and nothing
// else.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";

const url = process.argv.at(-1);
const client = spawn(process.env.RINGFENCE_CLIENT, [process.env.MCP_CONFORMANCE_SCENARIO], {
  stdio: ["pipe", "pipe", "inherit"],
});
client.on("exit", (code) => process.exit(code ?? 1));
client.stdin.on("error", () => {});

let session;
let version;
// Settled once the server can say something by itself: what it says to nobody is lost.
let ready = Promise.resolve();
let opened;

// An answer over HTTP belongs to its request, also where it does not name it.
function say(text, id) {
  if (text.trim() === "") return;
  const message = JSON.parse(text);
  if (message.method === undefined) message.id ??= id;
  version ??= message.result?.protocolVersion;
  client.stdin.write(`${JSON.stringify(message)}\n`);
}

async function post(line) {
  const message = JSON.parse(line);
  const headers = {
    "Content-Type": "application/json",
    Accept: "application/json, text/event-stream",
  };
  const stated = message.params?._meta?.["io.modelcontextprotocol/protocolVersion"];
  if (stated ?? version) headers["MCP-Protocol-Version"] = stated ?? version;
  if (stated) {
    headers["Mcp-Method"] = message.method;
    if (message.params.name) headers["Mcp-Name"] = message.params.name;
  }
  if (session) headers["Mcp-Session-Id"] = session;
  const begins = message.method === "notifications/initialized";
  if (begins) ready = new Promise((resolve) => (opened = resolve));
  if (message.method?.startsWith("tools/")) await ready;
  const answer = await fetch(url, { method: "POST", headers, body: line });
  session ??= answer.headers.get("mcp-session-id") ?? undefined;
  if (begins) listen().catch(() => {}).finally(opened);
  const type = answer.headers.get("content-type") ?? "";
  if (type.startsWith("text/event-stream")) {
    await events(answer, message.id);
  } else if (type.startsWith("application/json")) {
    say(await answer.text(), message.id);
  } else if (message.id !== undefined && message.method !== undefined) {
    const error = { code: -32603, message: `HTTP ${answer.status}` };
    say(JSON.stringify({ jsonrpc: "2.0", id: message.id, error }));
  }
}

async function events(answer, id) {
  for await (const row of createInterface({ input: Readable.fromWeb(answer.body) })) {
    if (row.startsWith("data:")) say(row.slice(5), id);
  }
}

// What a server of an older revision says by itself.
async function listen() {
  const headers = { Accept: "text/event-stream", "MCP-Protocol-Version": version };
  if (session) headers["Mcp-Session-Id"] = session;
  const answer = await fetch(url, { headers });
  if (answer.ok) events(answer).catch(() => {});
}

for await (const line of createInterface({ input: client.stdout })) {
  post(line).catch((error) => {
    console.error(`${error}`);
    client.kill();
  });
}
