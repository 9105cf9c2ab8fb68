"""What HTTP costs: streams through `fude serve` beside the engine alone, in turns, and the CPU time of the server's own thread.

    python3 bench/serve.py MODEL [--fude PATH] [--streams 16] [--rounds 5] [--threads N]

The work is a row of `fude bench generate`, `decode 16`: prompts that are in the cache, so many new tokens each, greedy; on both sides the same
numbers of tokens. The client is on the same machine, so what it takes counts against the server: it looks every 10 ms and parses nothing.
Rates are of the time between the first token of the last stream and the end.
"""

import argparse
import http.client
import json
import pathlib
import selectors
import socket
import subprocess
import time

from report import ROOT, measured


def cpu_seconds(process, name):
    """CPU time of the process's threads of this name."""
    tasks = pathlib.Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks if (task / "comm").read_text().strip() == name) / 1e9


def request_body(i, **more):
    return json.dumps({"messages": [{"role": "user", "content": f"Tell me a story about number {i}"}], "temperature": 0, **more}).encode()


def prompt_tokens(host, port):
    connection = http.client.HTTPConnection(host, port)
    connection.request("POST", "/v1/chat/completions", request_body(0, max_tokens=1), {"content-type": "application/json"})
    return json.load(connection.getresponse())["usage"]["prompt_tokens"]


def content_length(received):
    """Characters of an answer, of the events that are whole."""
    events = received[: received.rfind(b"\n\n")].decode().split("data: ")[1:]
    choices = [json.loads(event.split("\n\n")[0])["choices"] for event in events if not event.startswith("[DONE]")]
    return sum(len(choice["delta"].get("content") or "") for several in choices for choice in several)


def run_streams(host, port, streams, tokens):
    """Tokens a second, and all tokens, of so many streams at once."""
    selector, open_streams, began, received = selectors.DefaultSelector(), {}, {}, {}
    for i in range(streams):
        body = request_body(i, max_tokens=tokens, stream=True, stream_options={"include_usage": True})
        connection = socket.create_connection((host, port))
        connection.sendall(b"POST /v1/chat/completions HTTP/1.0\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                           b"content-length: %d\r\n\r\n%s" % (len(body), body))
        selector.register(connection, selectors.EVENT_READ, i)
        open_streams[i] = connection
        received[i] = bytearray()
    sizes = None  # of what was received when the last one began
    while open_streams:
        time.sleep(0.01)
        for key, _ in selector.select():
            data = key.fileobj.recv(1 << 16)
            if not data:
                selector.unregister(key.fileobj)
                open_streams.pop(key.data).close()
                continue
            received[key.data] += data
            # The role comes at once; the second event is the first token.
            if key.data not in began and received[key.data].count(b"data: ") > 1:
                began[key.data] = time.monotonic()
                if len(began) == streams:
                    sizes = {i: len(text) for i, text in received.items()}
    ended = time.monotonic()
    produced = sum(json.loads(text.rsplit(b"data: ", 2)[1])["usage"]["completion_tokens"] for text in received.values())
    # A delta may hold several tokens; what came before the last stream began is counted by its characters.
    before = sum(content_length(text[: sizes[i]]) for i, text in received.items()) / sum(map(content_length, received.values()))
    return produced * (1 - before) / (ended - max(began.values())), produced


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--fude", default=str(ROOT / "build/release/fude"))
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    common = [options.fude, "--json", "--threads", str(options.threads)]
    server = subprocess.Popen([*common, "serve", options.model, "--port", "0", "--context", "2048", "--cache", "16384"], stdout=subprocess.PIPE, text=True)
    try:
        host, port = json.loads(server.stdout.readline())["url"].removeprefix("http://").rsplit(":", 1)
        run_streams(host, int(port), options.streams, options.tokens)  # prompts are known from now on
        depth = prompt_tokens(host, int(port))
        served, alone, cpu = [], [], []
        for _ in range(options.rounds):
            before = cpu_seconds(server.pid, "fude-http")
            rate, produced = run_streams(host, int(port), options.streams, options.tokens)
            served.append(rate)
            cpu.append((cpu_seconds(server.pid, "fude-http") - before) / produced * 1e6)
            rows = subprocess.run([*common, "bench", "generate", options.model, "--filter", f"decode {options.streams}", "--rounds", "1",
                                   "--prompt-tokens", str(depth), "--new-tokens", str(options.tokens)],
                                  capture_output=True, text=True, check=True).stdout.splitlines()
            alone += [row["value"] for row in map(json.loads, rows) if row["name"] == f"decode {options.streams}"]
    finally:
        server.terminate()
        server.wait()
    row = lambda name, values, unit: print(json.dumps(measured(name, values, unit, digits=2)))
    row(f"http {options.streams}", served, "tok/s")
    row(f"engine {options.streams}", alone, "tok/s")
    # Of each round for itself: the machine's own speed may change from one to the next.
    row("http of engine", [100 * a / b for a, b in zip(served, alone)], "%")
    row("cpu of the http thread", cpu, "us/token")


if __name__ == "__main__":
    main()
