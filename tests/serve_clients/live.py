"""A server on a tiny model, started once: a few steps of training, and a chat template with tools beside it."""

import atexit
import json
import os
import subprocess

from harness import PROGRAM, world

TEMPLATE = """{%- if tools %}Tools: {% for tool in tools %}{{ tool | tojson }}{% endfor %}
{% endif %}{%- for m in messages %}{{ m.role }}: {{ m.content }}{% for c in m.tool_calls or [] %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}
{% endfor %}{%- if add_generation_prompt %}assistant: {% endif %}"""


def chat_model():
    run = world().folder / "chat"
    if not run.exists():
        world().need(*world().training(run, context=4096))
        (run / "model" / "chat_template.jinja").write_text(TEMPLATE)
    return run / "model"


def endless():
    """Members of a request whose answer does not end by itself."""
    added = json.loads((chat_model() / "tokenizer.json").read_text())["added_tokens"]
    return {"max_tokens": 4000, "logit_bias": {str(token["id"]): -100 for token in added}}


class Server:
    def __init__(self, *options, environment=None):
        self.process = subprocess.Popen(
            [os.path.abspath(PROGRAM), "--json", "--threads", "1", "serve", str(chat_model()), "--name", "tiny", "--port", "0", *map(str, options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
        atexit.register(self.process.kill)
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.host, self.port = self.url.removeprefix("http://").rsplit(":", 1)

    def stop(self, signal):
        self.process.send_signal(signal)
        code = self.process.wait(timeout=60)
        self.process.stdout.close(), self.process.stderr.close()
        return code


_server = None


def server():
    global _server
    if _server is None:
        _server = Server()
    return _server
