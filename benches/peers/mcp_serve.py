#!/usr/bin/env python3
"""What `ringfence mcp serve` costs, seen from a client over standard input and output, and from many over HTTP.

    python3 benches/peers/mcp_serve.py target/release/ringfence tests/guests/out/all-types.wasm \
        all_types_greet '{"name":"fence"}'

Times hold what this client takes itself: `ping` tells how much that is with the transport. The state and
the cache lie in a directory of their own, which is removed.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

IN_FLIGHT = 32
EACH = 1000


def serve(program, plugin, place, *flags):
    env = dict(
        os.environ,
        RINGFENCE_STATE_DIR=os.path.join(place, "state"),
        RINGFENCE_CACHE_DIR=os.path.join(place, "cache"),
    )
    work = os.path.join(place, "work")
    os.makedirs(work, exist_ok=True)
    return subprocess.Popen(
        [program, "mcp", "serve", os.path.abspath(plugin), *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
        cwd=work,
    )


def held(name, process):
    """Says the resident kilobytes and the open descriptors."""
    with open(f"/proc/{process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))
    print(f"| held {name} | {line.split()[1]} kB | {descriptors} descriptors |")


class Server:
    """A server that has been greeted."""

    def __init__(self, program, plugin, place):
        self.process = serve(program, plugin, place)
        client = {"name": "bench", "version": "0"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        self.ask(0, "initialize", params)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        self.process.stdin.write((json.dumps(message) + "\n").encode())
        self.process.stdin.flush()

    def request(self, number, method, params=None):
        message = {"jsonrpc": "2.0", "id": number, "method": method}
        self.send(message if params is None else {**message, "params": params})

    def receive(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, number, method, params=None):
        self.request(number, method, params)
        answer = self.receive()
        if "error" in answer or answer["result"].get("isError"):
            sys.exit(f"{method} failed: {answer}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def timed(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def row(name, times):
    times = sorted(times)
    p99 = times[int(len(times) * 0.99)]
    print(f"| {name} | {statistics.median(times):.3f} ms | {p99:.3f} ms |")


def started(program, plugin, place):
    def once():
        server = Server(program, plugin, place)
        server.ask(1, "tools/list")
        servers.append(server)

    servers = []
    times = [timed(once) for _ in range(40)]
    for server in servers:
        server.close()
    row("start to the first tools/list", times)


def in_flight(server, call):
    waiting, times = {}, []
    begin, last = 100_000, 100_000 + IN_FLIGHT * EACH
    start = time.perf_counter()
    for number in range(begin, last + IN_FLIGHT):
        if number >= begin + IN_FLIGHT:
            answer = server.receive()["id"]
            times.append((time.perf_counter() - waiting.pop(answer)) * 1e3)
        if number < last:
            waiting[number] = time.perf_counter()
            server.request(number, "tools/call", call)
    took = time.perf_counter() - start
    row(f"{IN_FLIGHT} × {EACH} calls, {IN_FLIGHT} in flight", times)
    print(f"| … calls a second | {len(times) / took:.0f} | |")


def over_http(program, plugin, place, call):
    process = serve(program, plugin, place, "--listen", "--json")
    text, said = b"", None
    while said is None:
        text += process.stdout.readline()
        try:
            said = json.loads(text)
        except ValueError:
            pass
    host = said["url"].split("/")[2]
    meta = {"protocolVersion": "2026-07-28", "clientCapabilities": {}}
    meta = {f"io.modelcontextprotocol/{key}": value for key, value in meta.items()}
    params = {**call, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    headers = {
        "Authorization": f"Bearer {said['token']}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": call["name"],
    }
    times, failed = [], []

    def client():
        connection = http.client.HTTPConnection(host)
        for _ in range(EACH):
            start = time.perf_counter()
            connection.request("POST", "/mcp", body, headers)
            answer = connection.getresponse()
            said = answer.read()
            times.append((time.perf_counter() - start) * 1e3)
            if answer.status != 200 or b'"isError":false' not in said:
                failed.append(said)
        connection.close()

    client()
    held("before", process)
    for _ in range(2):
        times.clear()
        clients = [threading.Thread(target=client) for _ in range(IN_FLIGHT)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        if failed:
            sys.exit(f"{len(failed)} calls failed, such as {failed[0]}")
        row(f"{IN_FLIGHT} clients over HTTP, {EACH} calls each", times)
        held("after them", process)
    process.terminate()
    process.wait()


def main(program, plugin, tool, arguments):
    call = {"name": tool, "arguments": json.loads(arguments)}
    program = os.path.abspath(program)
    with tempfile.TemporaryDirectory() as place:
        warm = Server(program, plugin, place)
        warm.ask(1, "tools/call", call)
        warm.close()
        print("| case | median | 99 % |\n|---|--:|--:|")
        started(program, plugin, place)
        server = Server(program, plugin, place)
        for number in range(100):
            server.ask(10 + number, "tools/call", call)
        held("before", server.process)
        row("ping", [timed(lambda: server.ask(1, "ping")) for _ in range(EACH)])
        row("tools/call", [timed(lambda: server.ask(2, "tools/call", call)) for _ in range(EACH)])
        held("after the first", server.process)
        in_flight(server, call)
        held("at the end", server.process)
        server.close()
        over_http(program, plugin, place, call)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
