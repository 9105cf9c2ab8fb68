"""Checks of the page in Chromium: page.py BROWSER URL; URL is a live `fude serve`. Needs Playwright.

Prints a line of JSON for each check: its name, and what went wrong or null. Where a check says nothing else, the page is in
front of scripted answers (stand_in.py).
"""

import json
import re
import sys
import threading
import traceback

from playwright.sync_api import expect, sync_playwright
from stand_in import StandIn

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
MARKDOWN = """# Title

Some **bold**, *slanted* and `code`; 2*3*4 stays. <img src=x onerror=window.hacked=1>

1. one
   - inner
2. two

- first

- second

- third

| a | b |
|---|--:|
| 1 | **2** |

> said

```js
alert("<b>")
```

[link](https://example.com/) and [no link](javascript:alert(1)), https://example.org/x.
"""
go_on = threading.Event()


def script(text):
    if text == "think":
        yield {"reasoning_content": "Hm, let me see."}
        yield 1.6
        yield {"content": "It is so."}
    elif text == "markdown":
        for at in range(0, len(MARKDOWN), 7):
            yield {"content": MARKDOWN[at : at + 7]}
    elif text == "markdown in pieces":
        # Each ends behind the first character of a line, where it is least known what the line will be.
        for piece in re.split(r"(?m)(?<=^.)", MARKDOWN):
            yield {"content": piece}
            yield 0.03
        go_on.wait(20)
    elif text == "backticks":
        yield {"content": "```print(1)``` it is.\n\nAnd on."}
    elif text == "endless":
        while True:
            yield {"content": "more "}
            yield 0.02
    else:
        yield {"content": "first "}
        go_on.wait(20)
        yield {"content": "second"}


class World:
    def __init__(self, browser, live):
        self.browser, self.live, self.stand_in = browser, live, StandIn(script)

    def page(self, url=None, language="en", size=DESK, **options):
        context = self.browser.new_context(viewport=size, locale=language, **options)
        page = context.new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: page.problems.append(request.url) if not request.url.startswith((url or self.stand_in.url, "data:")) else None)
        page.goto(url or self.stand_in.url)
        page.set_default_timeout(20000)
        expect(page.locator("#model")).not_to_be_empty()
        return page

    def asked(self):
        return [body["messages"][-1]["content"] for body in self.stand_in.asked]


def ask(page, text):
    page.fill("#input", text)
    page.keyboard.press("Enter")


def is_done_in(page):
    expect(page.locator(".tools button").first).to_be_visible(timeout=20000)


def is_done(page):
    is_done_in(page)
    assert page.problems == [], page.problems


def check_text_appears_as_it_comes(world):
    page = world.page()
    go_on.clear()
    ask(page, "hello")
    expect(page.locator(".assistant .body")).to_have_text("first")
    expect(page.locator("#stop")).to_be_visible()
    go_on.set()
    is_done(page)
    expect(page.locator(".assistant .body")).to_have_text("first second")
    # It is still there later, and goes along with the next question.
    page.reload()
    page.locator("#list .entry button").first.click()
    expect(page.locator(".assistant .body")).to_have_text("first second")
    ask(page, "and")
    expect(page.locator(".assistant .tools")).to_have_count(2)
    is_done(page)
    assert [m["content"] for m in world.stand_in.asked[-1]["messages"]] == ["hello", "first second", "and"]


def check_stop_ends_the_stream(world):
    page = world.page()
    world.stand_in.left.clear()
    ask(page, "endless")
    expect(page.locator(".assistant .body")).to_contain_text("more more")
    page.click("#stop")
    expect(page.locator(".assistant .note")).to_have_text("Stopped.")
    assert world.stand_in.left.wait(10), "the server was not left"
    length = len(page.inner_text(".assistant .body"))
    page.wait_for_timeout(200)
    assert len(page.inner_text(".assistant .body")) == length
    assert page.problems == [], page.problems


def check_what_failed_is_not_said_again(world):
    page = world.page()
    go_on.set()
    page.route("**/v1/chat/completions", times=1, handler=lambda route: route.fulfill(
        status=400, content_type="application/json", body=json.dumps({"error": {"message": "[serve] it is too long"}})))
    ask(page, "a long text")
    expect(page.locator(".assistant .error")).to_have_text("it is too long")
    for text in ("hello", "and"):
        ask(page, text)
        expect(page.locator(".assistant .body").last).to_have_text("first second")
        expect(page.locator("#stop")).to_be_hidden()
    expect(page.locator(".user")).to_have_count(3)
    assert [m["content"] for m in world.stand_in.asked[-1]["messages"]] == ["hello", "first second", "and"]


def check_what_was_asked_outlives_a_reload(world):
    page = world.page()
    ask(page, "endless")
    expect(page.locator(".assistant .body")).to_contain_text("more more")
    page.reload()
    page.locator("#list .entry button").first.click()
    expect(page.locator(".user")).to_have_text("endless")
    expect(page.locator(".assistant .body")).to_contain_text("more more")
    assert page.problems == [], page.problems


def check_tabs_keep_each_others_chats(world):
    page = world.page()
    other = page.context.new_page()
    other.goto(world.stand_in.url)
    go_on.set()
    for tab, text in ((page, "of the first tab"), (other, "of the second tab")):
        ask(tab, text)
        is_done_in(tab)
    expect(page.locator("#list .entry")).to_have_count(2)
    other.locator("#list .entry", has_text="of the first tab").locator(".remove").click()
    expect(page.locator("#list .entry", has_text="of the second tab")).to_have_count(1)
    third = page.context.new_page()
    third.goto(world.stand_in.url)
    expect(third.locator("#list .entry")).to_have_count(1)
    # What a tab only heard of goes from it as well, and does not come back.
    other.locator("#list .entry", has_text="of the second tab").locator(".remove").click()
    expect(page.locator("#list .entry", has_text="of the second tab")).to_have_count(0)


def check_storage_that_is_full_is_said(world):
    page = world.page()
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; }")
    go_on.set()
    ask(page, "hello")
    is_done(page)
    expect(page.locator("#trouble")).to_be_visible()
    expect(page.locator("#trouble")).to_contain_text("not kept")


def check_escape_while_composing_does_not_stop(world):
    page = world.page(language="ja")
    ask(page, "endless")
    expect(page.locator(".assistant .body")).to_contain_text("more more")
    page.evaluate("""() => document.getElementById("input").dispatchEvent(
      new KeyboardEvent("keydown", { key: "Escape", bubbles: true, isComposing: true, keyCode: 229 }))""")
    page.wait_for_timeout(200)
    expect(page.locator("#stop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".assistant .note")).to_be_visible()


def check_backticks_inside_a_line_are_no_fence(world):
    page = world.page()
    ask(page, "backticks")
    is_done(page)
    body = page.locator(".assistant .body")
    assert body.locator(".code").count() == 0
    expect(body).to_contain_text("print(1)")
    expect(body.locator("p").last).to_have_text("And on.")


def check_thought_for_n_seconds(world):
    for language, thinking, thought in (("en", "Thinking…", "Thought for 2 s"), ("ja", "考えています…", "2 秒間考えました")):
        page = world.page(language=language)
        ask(page, "think")
        expect(page.locator(".thought summary")).to_have_text(thinking)
        expect(page.locator(".thought div")).to_be_visible()
        is_done(page)
        expect(page.locator(".thought summary")).to_have_text(thought)
        expect(page.locator(".thought div")).to_be_hidden()
        page.click(".thought summary")
        expect(page.locator(".thought div")).to_have_text("Hm, let me see.")
        expect(page.locator(".assistant .body")).to_have_text("It is so.")


def check_enter_while_composing_does_not_send(world):
    page = world.page(language="ja")
    before = len(world.asked())
    page.fill("#input", "かんじ")
    # As browsers send it: Chromium and Firefox with isComposing, Safari behind the composition with the key code 229 alone.
    page.evaluate("""() => {
      const input = document.getElementById("input");
      const key = (more) => input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...more }));
      input.dispatchEvent(new CompositionEvent("compositionstart", { data: "かんじ" }));
      key({ isComposing: true, keyCode: 229 });
      key({ isComposing: true });
      input.dispatchEvent(new CompositionEvent("compositionend", { data: "漢字" }));
      key({ keyCode: 229 });
    }""")
    page.wait_for_timeout(200)
    assert len(world.asked()) == before, world.asked()
    assert page.input_value("#input") == "かんじ"
    page.keyboard.press("Shift+Enter")
    assert len(world.asked()) == before
    go_on.set()
    page.fill("#input", "漢字")
    page.keyboard.press("Enter")
    is_done(page)
    assert world.asked()[before:] == ["漢字"]


def check_markdown_is_made_of_nodes(world):
    page = world.page()
    ask(page, "markdown")
    is_done(page)
    body = page.locator(".assistant .body")
    for selector, text in (("h3", "Title"), ("strong >> nth=0", "bold"), ("em", "slanted"), ("p > code", "code"), ("ol > li >> nth=1", "two"),
                           ("ol > li > ul > li", "inner"), ("ul > li >> nth=3", "third"), ("th >> nth=1", "b"), ("td strong", "2"), ("blockquote", "said"),
                           (".code pre", 'alert("<b>")'), ("a >> nth=0", "link"), ("a >> nth=1", "https://example.org/x")):
        expect(body.locator(selector)).to_have_text(text)
    assert body.locator("td").nth(1).evaluate("cell => getComputedStyle(cell).textAlign") == "right"
    assert body.locator("a").count() == 2 and body.locator("img").count() == 0
    assert page.evaluate("window.hacked") is None


def check_what_comes_in_pieces_looks_like_the_whole(world):
    page = world.page()
    go_on.clear()
    ask(page, "markdown in pieces")
    body = page.locator(".assistant .body")
    expect(body).to_contain_text("https://example.org/x.")
    assert page.locator("#stop").is_visible()
    streamed = body.inner_html()
    go_on.set()
    is_done(page)
    assert body.inner_html() == streamed
    assert body.locator("ul", has_text="first").locator("li").count() == 3


def check_a_code_block_is_copied(world):
    page = world.page(permissions=["clipboard-read", "clipboard-write"])
    ask(page, "markdown")
    is_done(page)
    page.locator(".code button").click()
    expect(page.locator(".code button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == 'alert("<b>")'


def check_phone(world):
    page = world.page(language="ja", size=PHONE, has_touch=True, is_mobile=True)
    expect(page.locator("#new")).to_be_hidden()
    go_on.set()
    page.fill("#input", "markdown")
    page.keyboard.press("Enter")  # a new line: the button sends
    assert not page.locator(".assistant").count()
    page.fill("#input", "markdown")
    page.tap("#send")
    is_done(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.tap("#menu")
    expect(page.locator("#new")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#new")).to_be_hidden()
    expect(page.locator("#menu")).to_be_focused()


def check_everything_has_a_name(world):
    for language in ("en", "ja"):
        page = world.page(language=language)
        page.click("#settings-open")
        nameless = page.evaluate("""() => [...document.querySelectorAll("button, input, textarea, nav, aside, article")].filter((node) =>
          node.checkVisibility() && !node.getAttribute("aria-label") && !node.getAttribute("aria-labelledby") && !node.textContent.trim() && !node.labels?.[0]?.textContent.trim()).map((node) => node.outerHTML)""")
        assert nameless == [], nameless
        assert page.evaluate("document.documentElement.lang") == language


# WCAG AA: 4.5 to 1 against what the text stands on, in both themes.
def check_contrast(world):
    measure = """(selector) => {
      const parse = (color) => color.match(/[\\d.]+/g).map(Number);
      const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
      const node = document.querySelector(selector);
      let behind = node;
      while ((parse(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
      const [a, b] = [light(parse(getComputedStyle(node).color)), light(parse(getComputedStyle(behind).backgroundColor))].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05);
    }"""
    for scheme in ("light", "dark"):
        page = world.page(color_scheme=scheme)
        ask(page, "markdown")
        is_done(page)
        for selector in (".user", ".body p", ".body a", ".body blockquote", ".code div span", ".code pre", ".tools button", "#side .note", "#form .note", "#language"):
            ratio = page.evaluate(measure, selector)
            assert ratio >= 4.5, (scheme, selector, ratio)


def check_a_live_server(world):
    page = world.page(world.live)
    expect(page.locator("#model")).to_have_text("tiny")
    ask(page, "Alice lives in")
    expect(page.locator(".assistant .body")).not_to_be_empty()
    page.keyboard.press("Escape")  # if it has not ended by itself
    expect(page.locator("#send")).to_be_visible()
    assert page.inner_text(".assistant .body").strip(), "no text"
    assert page.problems == [], page.problems


def main():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
        world = World(browser, sys.argv[2])
        for name, check in [(name, check) for name, check in globals().items() if name.startswith("check_")]:
            try:
                check(world)
                problem = None
            except Exception:
                problem = traceback.format_exc()[-2000:]
            print(json.dumps({"name": name.removeprefix("check_"), "problem": problem}), flush=True)
            for context in browser.contexts:
                context.close()
        browser.close()


if __name__ == "__main__":
    main()
