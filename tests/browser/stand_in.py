"""The page of web/ in front of scripted answers: what a model says is chosen by the last message of the user.

A tiny model neither thinks nor writes tables, so that the page is tested with a server that says what it is told to.
"""

import http.server
import json
import pathlib
import threading
import time

WEB = pathlib.Path(__file__).resolve().parent.parent.parent / "web"
FILES = {"/": ("index.html", "text/html; charset=utf-8"), "/page.css": ("page.css", "text/css; charset=utf-8"),
         "/page.js": ("page.js", "text/javascript; charset=utf-8")}
# As src/serve/api.cc says it: what the page does has to work under it.
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


class StandIn:
    """`script(text)` yields deltas ({"content": …} or {"reasoning_content": …}), or seconds to wait."""

    def __init__(self, script):
        self.script, self.asked, self.left = script, [], threading.Event()
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def send(self, body, kind):
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-security-policy", POLICY)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                path = self.path.split("?")[0]
                if path == "/v1/models":
                    self.send(json.dumps({"data": [{"id": "tiny"}]}).encode(), "application/json")
                elif path in FILES:
                    self.send((WEB / FILES[path][0]).read_bytes(), FILES[path][1])
                else:
                    self.send_error(404)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                stand_in.asked.append(body)
                self.send_response(200)
                self.send_header("content-type", "text/event-stream; charset=utf-8")
                self.end_headers()
                say = lambda choice: self.wfile.write(b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n")
                try:
                    say({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})
                    for delta in stand_in.script(body["messages"][-1]["content"]):
                        if isinstance(delta, dict):
                            say({"index": 0, "delta": delta, "finish_reason": None})
                        else:
                            time.sleep(delta)
                    say({"index": 0, "delta": {}, "finish_reason": "stop"})
                    self.wfile.write(b"data: [DONE]\n\n")
                except OSError:
                    stand_in.left.set()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
