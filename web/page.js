// The page of fude serve. What a model or a person wrote becomes text nodes only, never HTML. Conversations stay in this
// browser's localStorage; the server keeps nothing.
"use strict";

const WORDS = {
  en: {
    newChat: "+ New chat", conversations: "Conversations", stored: "Kept in this browser only.", language: "日本語に切り替える", other: "日本語",
    settings: "Settings", temperature: "Temperature", system: "System prompt", key: "API key", ask: "Ask anything", send: "Send", stop: "Stop",
    mistakes: "Models make mistakes. Check what matters.", hello: "What shall we write?", about: "It runs on the machine that serves this page.",
    thinking: "Thinking…", thought: (n) => `Thought for ${n} s`, copy: "Copy", copied: "Copied", again: "Regenerate", remove: "Delete", untitled: "New chat", you: "You", model: "The model",
    stopped: "Stopped.", done: "The answer is complete.", cut: "The answer was cut at its longest.", offline: "The server cannot be reached.", needKey: "This server wants an API key. Enter it in the settings.",
    full: "The browser's storage is full: this chat is not kept.",
    try: ["Why is the sky blue?", "Write a haiku about autumn", "Explain recursion with an example"],
  },
  ja: {
    newChat: "＋ 新しい会話", conversations: "会話の一覧", stored: "会話はこのブラウザにだけ保存されます。", language: "Switch to English", other: "English",
    settings: "設定", temperature: "温度", system: "システムプロンプト", key: "API キー", ask: "何でも聞いてください", send: "送信", stop: "停止",
    mistakes: "モデルは間違えることがあります。大切なことは確認を。", hello: "何を書きましょうか", about: "このページを配信しているマシンの上で動いています。",
    thinking: "考えています…", thought: (n) => `${n} 秒間考えました`, copy: "コピー", copied: "コピーしました", again: "もう一度", remove: "削除", untitled: "新しい会話", you: "あなた", model: "モデル",
    stopped: "停止しました。", done: "回答が終わりました。", cut: "長さの上限で打ち切られました。", offline: "サーバに接続できません。", needKey: "このサーバには API キーが必要です。設定で入力してください。",
    full: "ブラウザの保存領域がいっぱいのため、この会話は保存されません。",
    try: ["空はなぜ青いの？", "秋の俳句を一句", "再帰を例で説明して"],
  },
};

const $ = (id) => document.getElementById(id);
function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}
function button(className, text, onClick, label) {
  const node = make("button", className, text);
  node.type = "button";
  if (label) node.title = label, node.setAttribute("aria-label", label);
  node.addEventListener("click", onClick);
  return node;
}

// Storage may be forbidden, full, or hold what somebody else wrote.
const store = {
  read(name, otherwise) {
    try { return JSON.parse(localStorage.getItem("fude." + name)) ?? otherwise; } catch { return otherwise; }
  },
  write(name, value) {
    try { localStorage.setItem("fude." + name, JSON.stringify(value)); return true; } catch { return false; }
  },
};

const query = new URLSearchParams(location.search);
const prefers = (navigator.languages || [navigator.language]).find((l) => /^(ja|en)\b/i.test(l)) || "en";
const asked = query.get("lang");
let language = Object.hasOwn(WORDS, asked ?? "") ? asked : store.read("language", prefers.slice(0, 2).toLowerCase());
if (!Object.hasOwn(WORDS, language)) language = "en";
const words = () => WORDS[language];

function storedChats() {
  const read = store.read("chats", []);
  return Array.isArray(read) ? read.filter((c) => c && typeof c.id === "string" && Array.isArray(c.turns)) : [];
}
let chats = storedChats();
const stored = new Set(chats.map((c) => c.id));  // what this tab knows to be in the store
let current = null;  // the chat that is shown; in `chats` as soon as something was said
let model = "";
let running = null;  // {controller, chat}
let key = store.read("key", "");
const settings = { temperature: 0.7, system: "", ...store.read("settings", {}) };

// Other tabs write too: what is new or newer there is taken, and what has gone from there goes here.
function merge(mine) {
  const there = new Map(storedChats().map((c) => [c.id, c])), ids = [...there.keys()];
  chats = chats.filter((c) => c === mine || there.has(c.id) || !stored.has(c.id));
  for (const chat of chats) {
    const other = there.get(chat.id);
    if (other && chat !== current && chat !== mine && (other.at ?? 0) > (chat.at ?? 0)) Object.assign(chat, other);
    there.delete(chat.id);
  }
  for (const other of there.values()) if (!stored.has(other.id)) chats.push(other);
  for (const id of ids) stored.add(id);
  chats.sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
}
function keep(chat) {
  if (chat) chat.at = Date.now();
  merge(chat);
  if (!store.write("chats", chats.slice(0, 200))) return tell(words().full);
  for (const { id } of chats) stored.add(id);
}
const headers = () => ({ "content-type": "application/json", ...(key ? { authorization: "Bearer " + key } : {}) });

// ---- Text: a part of Markdown

const ITEM = /^(\s*)(?:[-*+•]|(\d{1,9})[.)])\s+(.*)/;
const RULE = /^\s*([-*_])(?:\s*\1){2,}\s*$/;
const TABLE = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;  // the line below a table's head
const DEEPEST = 8;  // lists and quotes in each other

// `code`, links, **bold** and *italic* inside a line. Links lead to the web only, and open beside this page.
function addInline(parent, text) {
  const pattern = /`([^`\n]+)`|\[([^[\]\n]+)\]\((https?:\/\/[^\s()]+)\)|(https?:\/\/[^\s<>()"'`、。，」）]*[^\s<>()"'`、。，」）.,:;!?*])|\*\*([^*\n]+)\*\*|(?<![\w*])\*([^*\s][^*\n]*)\*(?![\w*])/g;
  let at = 0;
  for (const m of text.matchAll(pattern)) {
    parent.append(text.slice(at, m.index));
    const [whole, code, linked, address, url, strong, em] = m;
    const node = make(code !== undefined ? "code" : linked ?? url ? "a" : strong !== undefined ? "strong" : "em");
    if (node.tagName === "A") node.href = address ?? url, node.target = "_blank", node.rel = "noopener noreferrer nofollow";
    if (code ?? url) node.textContent = code ?? url;
    else addInline(node, linked ?? strong ?? em);
    parent.append(node);
    at = m.index + whole.length;
  }
  parent.append(text.slice(at));
}
function codeBlock(kind, lines) {
  const block = make("div", "code"), head = make("div"), pre = make("pre");
  head.append(make("span", "", kind), copyButton(() => lines.join("\n")));
  pre.append(make("code", "", lines.join("\n")));
  block.append(head, pre);
  return block;
}
const cellsOf = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
function tableOf(lines) {
  const sides = cellsOf(lines[1]).map((c) => (c.endsWith(":") ? (c.startsWith(":") ? "center" : "right") : ""));
  const frame = make("div", "table"), table = make("table"), head = make("thead"), body = make("tbody");
  lines.forEach((line, i) => {
    if (i === 1) return;
    const row = make("tr"), cells = cellsOf(line);
    sides.forEach((side, column) => {
      const cell = make(i === 0 ? "th" : "td");
      cell.style.textAlign = side;
      addInline(cell, cells[column] ?? "");
      row.append(cell);
    });
    (i === 0 ? head : body).append(row);
  });
  table.append(head, body);
  frame.append(table);
  return frame;
}
const indentOf = (line) => line.length - line.trimStart().length;
const isTable = (lines, i) => lines[i].includes("|") && i + 1 < lines.length && lines[i + 1].includes("|") && TABLE.test(lines[i + 1]);
const beginsBlock = (lines, i) => /^\s*(```+(?!.*`)|~~~|#{1,6}\s|>)/.test(lines[i]) || RULE.test(lines[i]) || ITEM.test(lines[i]) || isTable(lines, i);

// The list that begins at a line, and the line behind it. What stands deeper than an item's mark belongs to the item.
function listAt(lines, i, depth) {
  const number = lines[i].match(ITEM)[2], list = make(number ? "ol" : "ul");
  if (number) list.start = Number(number);
  for (let next = i; ;) {
    while (next < lines.length && !lines[next].trim()) ++next;
    const m = next < lines.length && !RULE.test(lines[next]) && lines[next].match(ITEM);
    if (!m || !m[2] !== !number) return [list, i];
    const inside = [m[3]], width = m[0].length - m[3].length;
    for (i = next + 1; i < lines.length; ++i) {
      const isDeeper = indentOf(lines[i]) > indentOf(m[0]);
      if (lines[i].trim() ? !isDeeper && (beginsBlock(lines, i) || !lines[i - 1].trim()) : !lines.slice(i, i + 2).some((line) => line.trim() && indentOf(line) > indentOf(m[0]))) break;
      inside.push(lines[i].slice(Math.min(width, indentOf(lines[i]))));
    }
    const item = make("li");
    addBlocks(item, inside, depth + 1);
    if (item.firstChild?.tagName === "P") item.firstChild.replaceWith(...item.firstChild.childNodes);
    list.append(item);
    next = i;
  }
}
// The block that begins at a line that is not empty, and the line behind it.
function blockAt(lines, i, depth) {
  const fence = lines[i].match(/^\s*(```+(?!.*`)|~~~+)\s*([\w+#.-]*)/), title = lines[i].match(/^(#{1,6})\s+(.*)/);
  if (fence) {
    const begin = ++i, indent = indentOf(lines[i - 1]);
    while (i < lines.length && lines[i].trim() !== fence[1]) ++i;
    return [codeBlock(fence[2], lines.slice(begin, i).map((line) => line.slice(Math.min(indent, indentOf(line))))), i + 1];
  }
  if (title) {
    const node = make(title[1].length < 3 ? "h3" : "h4");
    addInline(node, title[2]);
    return [node, i + 1];
  }
  if (RULE.test(lines[i])) return [make("hr"), i + 1];
  if (depth < DEEPEST && /^\s*>/.test(lines[i])) {
    const quote = make("blockquote"), begin = i;
    while (i < lines.length && /^\s*>/.test(lines[i])) ++i;
    addBlocks(quote, lines.slice(begin, i).map((line) => line.replace(/^\s*> ?/, "")), depth + 1);
    return [quote, i];
  }
  if (depth < DEEPEST && ITEM.test(lines[i])) return listAt(lines, i, depth);
  const begin = i;
  if (isTable(lines, i)) {
    while (i < lines.length && lines[i].includes("|")) ++i;
    return [tableOf(lines.slice(begin, i)), i];
  }
  do ++i; while (i < lines.length && lines[i].trim() && !(depth < DEEPEST && beginsBlock(lines, i)));
  const node = make("p");
  addInline(node, lines.slice(begin, i).join("\n"));
  return [node, i];
}
function addBlocks(parent, lines, depth) {
  for (let i = 0; i < lines.length;) {
    if (!lines[i].trim()) { ++i; continue; }
    const [node, next] = blockAt(lines, i, depth);
    parent.append(node);
    i = next;
  }
}
// Called again with a longer text, it makes only the last two blocks anew. What comes may still join the last to the one
// before it, as an item's mark to its list when a space follows; it never reaches further back.
function setMarkdown(parent, text) {
  const starts = (parent.starts ??= []), again = starts.splice(-2);
  for (let n = again.length; n > 0; --n) parent.lastChild.remove();
  let at = again[0] ?? 0;
  const lines = text.slice(at).split("\n");
  for (let i = 0; i < lines.length;) {
    let next = i + 1;
    if (lines[i].trim()) {
      let node;
      [node, next] = blockAt(lines, i, 0);
      parent.append(node);
      starts.push(at);
    }
    while (i < next && i < lines.length) at += lines[i++].length + 1;
  }
}
// The clipboard of a page that came without TLS from another machine is reached in the old way only.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea", "unseen");
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("copy");
}
function copyButton(text) {
  const node = button("", words().copy, async () => {
    try { await copy(text()); node.textContent = words().copied; } catch { return; }
    setTimeout(() => { node.textContent = words().copy; }, 1500);
  });
  return node;
}

// ---- What is shown

// An answer, or what there is of it: called again as it grows, it leaves what stands already.
function fill(node, turn, isRunning, isLast) {
  if (!node.parts) {
    const details = make("details", "thought"), summary = make("summary"), thought = make("div"), body = make("div", "body");
    details.append(summary, thought);
    summary.addEventListener("click", () => { turn.open = !details.open; });
    node.append(details, body);
    node.parts = { details, summary, thought, body };
  }
  const { details, summary, thought, body } = node.parts, isThinking = isRunning && !turn.content;
  details.hidden = !turn.reasoning;
  details.open = turn.open ?? isThinking;
  summary.textContent = isThinking ? words().thinking : words().thought(Math.max(1, Math.round(turn.seconds || 0)));
  thought.textContent = turn.reasoning?.trim();
  setMarkdown(body, turn.content);
  body.classList.toggle("waiting", isThinking && !turn.reasoning);
  if (isRunning) return;
  if (turn.note) node.append(make("p", "note", words()[turn.note] || ""));
  if (turn.error) node.append(make("p", "error", turn.error));
  const tools = make("div", "tools");
  if (turn.content) tools.append(copyButton(() => turn.content));
  if (isLast) tools.append(button("", words().again, regenerate));
  node.append(tools);
}
function welcome() {
  const node = make("div", "welcome"), ideas = make("div");
  node.append(make("div", "seal", "筆"), make("h1", "", words().hello), make("p", "", words().about), ideas);
  for (const idea of words().try) ideas.append(button("", idea, () => { $("input").value = idea; ask(); }));
  return node;
}
function showTurns() {
  const turns = current.turns;
  $("turns").replaceChildren(...(turns.length ? [] : [welcome()]));
  turns.forEach((turn, i) => {
    const node = make("article", "turn " + (turn.role === "user" ? "user" : "assistant"));
    node.setAttribute("aria-label", turn.role === "user" ? words().you : words().model);
    if (turn.role === "user") node.textContent = turn.content;
    else fill(node, turn, running?.turn === turn, i === turns.length - 1);
    $("turns").append(node);
  });
  $("chat").scrollTop = $("chat").scrollHeight;
}
function showList() {
  $("list").replaceChildren(...chats.map((chat) => {
    const node = make("div", "entry");
    if (chat === current) node.setAttribute("aria-current", "true");
    node.append(button("", chat.title || words().untitled, () => open(chat)), button("remove", "×", () => remove(chat), words().remove));
    return node;
  }));
}
function showWords() {
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = words()[node.dataset.text];
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", node.title = words()[node.dataset.label]);
  for (const node of document.querySelectorAll("[data-hint]")) node.placeholder = words()[node.dataset.hint];
  $("input").title = "";
  $("language").textContent = words().other;
  showList();
  showTurns();
}
function showRunning() {
  $("send").hidden = !!running;
  $("stop").hidden = !running;
  $("send").disabled = !$("input").value.trim();
}
function drawer(isOpen) {
  if ($("side").classList.contains("open") === isOpen) return;
  $("side").classList.toggle("open", isOpen);
  $("shade").hidden = !isOpen;
  $("menu").setAttribute("aria-expanded", isOpen);
  (isOpen ? $("new") : $("menu")).focus({ preventScroll: true });
}
function open(chat) {
  running?.controller.abort();
  current = chat;
  drawer(false);
  showList();
  showTurns();
}
const begin = () => open({ id: String(Date.now()) + Math.random().toString(36).slice(2), title: "", turns: [] });
function remove(chat) {
  if (running?.chat === chat) running.controller.abort();
  chats = chats.filter((c) => c !== chat);
  keep();
  chat === current ? begin() : showList();
}

// ---- Talking with the server

function ask() {
  const text = $("input").value.trim();
  if (!text || running) return;
  $("input").value = "";
  grow();
  current.turns.push({ role: "user", content: text });
  current.title ||= Array.from(text.replace(/\s+/g, " ")).slice(0, 60).join("");
  chats = [current, ...chats.filter((c) => c !== current)];
  keep(current);
  answer();
}
function regenerate() {
  if (running) return;
  if (current.turns.at(-1)?.role === "assistant") current.turns.pop();
  answer();
}

// The data of each event of a stream.
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let held = "";;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (held + value).split("\n\n");
    held = events.pop();
    for (const event of events) if (event.startsWith("data: ")) yield event.slice(6);
  }
}
async function errorOf(response) {
  if (response.status === 401) { $("settings").hidden = false; return words().needKey; }
  try { return (await response.json()).error.message.replace(/^\[\w+\] /, ""); } catch { return `HTTP ${response.status}`; }
}

async function answer() {
  const chat = current, turn = { role: "assistant", content: "", reasoning: "" };
  // A question that got no answer is shown, but not said again: what was wrong with it would be wrong each time.
  const messages = chat.turns
    .filter(({ role, content }, i) => content && (role !== "user" || (chat.turns[i + 1]?.content ?? true)))
    .map(({ role, content }) => ({ role, content }));
  if (settings.system.trim()) messages.unshift({ role: "system", content: settings.system });
  chat.turns.push(turn);
  const mine = running = { controller: new AbortController(), chat, turn };
  showList(), showTurns(), showRunning();
  $("status").textContent = "";
  let isDrawn = true, began = 0;
  const draw = () => {
    isDrawn = true;
    const node = $("turns").lastElementChild, view = $("chat");
    if (current !== chat || !node || running !== mine) return;
    const follows = view.scrollHeight - view.scrollTop - view.clientHeight < 80;
    fill(node, turn, true, true);
    if (follows) view.scrollTop = view.scrollHeight;
  };
  try {
    const response = await fetch("/v1/chat/completions", {
      method: "POST", headers: headers(), signal: mine.controller.signal,
      body: JSON.stringify({ model, messages, stream: true, temperature: settings.temperature }),
    });
    if (!response.ok) throw { said: await errorOf(response) };
    for await (const data of eventsOf(response)) {
      if (data === "[DONE]") break;
      const event = JSON.parse(data);
      if (event.error) throw { said: event.error.message.replace(/^\[\w+\] /, "") };
      const choice = event.choices[0];
      if (!choice) continue;
      if (choice.delta.reasoning_content) began ||= performance.now();
      // It thinks until it speaks.
      if (began && !turn.content) turn.seconds = (performance.now() - began) / 1000;
      turn.reasoning += choice.delta.reasoning_content ?? "";
      turn.content += choice.delta.content ?? "";
      if (choice.finish_reason === "length") turn.note = "cut";
      if (isDrawn) isDrawn = false, requestAnimationFrame(draw);
    }
    $("status").textContent = words().done;
  } catch (error) {
    if (mine.controller.signal.aborted) turn.note = "stopped";
    else turn.error = error.said || words().offline;
    $("status").textContent = turn.error || words().stopped;
  }
  delete turn.open;
  if (running === mine) running = null;
  if (chats.includes(chat)) keep(chat);
  if (current === chat) {
    const view = $("chat"), follows = view.scrollHeight - view.scrollTop - view.clientHeight < 80, top = view.scrollTop;
    showTurns();
    if (!follows) view.scrollTop = top;
  }
  showRunning();
}

// ---- Controls

function grow() {
  const input = $("input");
  input.style.height = "auto";
  input.style.height = Math.min(input.scrollHeight, 192) + "px";
  showRunning();
}
const isPhone = () => matchMedia("(pointer: coarse)").matches;

$("form").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
$("input").addEventListener("input", grow);
$("input").addEventListener("keydown", (event) => {
  // While Japanese is being converted, Enter takes a candidate. On a phone it is a new line, and the button sends.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || isPhone()) return;
  event.preventDefault();
  ask();
});
$("settings").addEventListener("submit", (event) => event.preventDefault());
$("stop").addEventListener("click", () => running?.controller.abort());
$("new").addEventListener("click", () => { begin(); $("input").focus(); });
$("menu").addEventListener("click", () => drawer(!$("side").classList.contains("open")));
$("shade").addEventListener("click", () => drawer(false));
$("language").addEventListener("click", () => { language = language === "en" ? "ja" : "en"; store.write("language", language); showWords(); });
$("settings-open").addEventListener("click", () => {
  $("settings").hidden = !$("settings").hidden;
  $("settings-open").setAttribute("aria-expanded", !$("settings").hidden);
});
// What has come of an answer so far is kept when the page goes, and what other tabs keep is shown.
addEventListener("pagehide", () => { if (running && chats.includes(running.chat)) keep(running.chat); });
addEventListener("storage", (event) => { if (event.key === "fude.chats") merge(current), showList(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing || event.keyCode === 229) return;
  if ($("side").classList.contains("open")) drawer(false);
  else if (running) running.controller.abort();
});
for (const name of ["temperature", "system"])
  $(name).addEventListener("input", () => {
    settings[name] = name === "temperature" ? Number($(name).value) : $(name).value;
    $("temperature-value").textContent = settings.temperature.toFixed(1);
    store.write("settings", settings);
  });
$("key").addEventListener("change", () => { key = $("key").value.trim(); store.write("key", key); findModel(); });

// What has no place in an answer.
function tell(trouble) {
  $("trouble").hidden = !trouble;
  $("trouble").textContent = trouble;
}
async function findModel() {
  tell("");
  try {
    const response = await fetch("/v1/models", { headers: headers() });
    if (response.ok) model = (await response.json()).data[0].id;
    else tell(await errorOf(response));
  } catch { tell(words().offline); }
  $("model").textContent = model;
  document.title = model ? `${model} – Fude` : "Fude";
}

$("temperature").value = settings.temperature;
$("temperature-value").textContent = Number(settings.temperature).toFixed(1);
$("system").value = settings.system;
$("key").value = key;
if (isPhone()) $("input").enterKeyHint = "enter";
begin();
showWords();
showRunning();
findModel();
if (!isPhone()) $("input").focus();
