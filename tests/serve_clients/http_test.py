"""fude serve as a program: its address, its key, its signals; with nothing but Python's http.client."""

import http.client
import json
import signal
import time
import urllib.request

from harness import USAGE, Case, fude
from live import Server, chat_model, endless, server


def post(live, body, headers=None):
    connection = http.client.HTTPConnection(live.host, int(live.port), timeout=120)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json", **(headers or {})})
    return connection.getresponse()


def events(response):
    data = [line[6:] for line in response.read().decode().split("\n\n") if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    return [json.loads(text) for text in data]


HELLO = {"model": "tiny", "messages": [{"role": "user", "content": "Alice lives in"}], "max_tokens": 12, "seed": 1}


class Http(Case):
    def test_stream_and_whole_say_the_same(self):
        whole = json.load(post(server(), HELLO))
        streamed = events(post(server(), {**HELLO, "stream": True, "stream_options": {"include_usage": True}}))
        text = "".join(e["choices"][0]["delta"].get("content", "") for e in streamed if e["choices"])
        self.assertEqual(text, whole["choices"][0]["message"]["content"])
        self.assertEqual(streamed[-1]["usage"]["completion_tokens"], whole["usage"]["completion_tokens"])

    def wait_until_running(self, wanted):
        for _ in range(200):
            metrics = urllib.request.urlopen(server().url + "/metrics").read().decode()
            if ("fude_answers_running 0\n" not in metrics) == wanted:
                return
            time.sleep(0.05)
        self.fail("it does not run" if wanted else "it still runs")

    def test_a_client_that_leaves_frees_its_slot(self):
        # So many answers would take far longer than what is waited for.
        response = post(server(), {**HELLO, **endless(), "n": 128, "stream": True})
        response.read(10)
        self.wait_until_running(True)
        response.close()
        self.wait_until_running(False)

    def test_the_page(self):
        for path in ("/", "/page.css", "/page.js"):
            self.assertGreater(len(urllib.request.urlopen(server().url + path).read()), 1000, path)

    def test_key_from_the_environment(self):
        live = Server(environment={"FUDE_API_KEY": "secret"})
        self.assertEqual(post(live, HELLO).status, 401)
        self.assertEqual(post(live, HELLO, {"authorization": "Bearer secret"}).status, 200)
        self.assertEqual(live.stop(signal.SIGINT), 0)

    def test_others_need_a_key(self):
        self.fails(fude("serve", chat_model(), "--host", "0.0.0.0"), USAGE, "--api-key", "--insecure")

    def test_a_port_that_is_taken(self):
        self.fails(fude("serve", chat_model(), "--port", server().port), 1, "cannot listen", server().port)

    def test_shutdown(self):
        live = Server()
        response = post(live, {**HELLO, **endless(), "stream": True})
        begun = response.read(1)
        self.assertEqual(live.stop(signal.SIGTERM), 0)
        self.assertIn(b"server_shutdown", begun + response.read())
