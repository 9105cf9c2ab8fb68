// What a program does with OpenAI's JavaScript library: node sdk_node.mjs URL. Any failure is an exception.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const OpenAI = createRequire(process.env.FUDE_NODE_FOLDER)("openai").OpenAI;
const client = new OpenAI({ baseURL: process.argv[2] + "/v1", apiKey: "none", maxRetries: 0 });
const hello = { model: "tiny", messages: [{ role: "user", content: "Alice lives in" }], max_tokens: 16, seed: 1 };
const tools = [{ type: "function", function: { name: "weather", parameters: {
  type: "object", properties: { city: { enum: ["Oslo", "東京"] } }, required: ["city"], additionalProperties: false } } }];

assert.equal((await client.models.list()).data[0].id, "tiny");

const whole = await client.chat.completions.create(hello);
let text = "";
for await (const chunk of await client.chat.completions.create({ ...hello, stream: true })) text += chunk.choices[0].delta.content ?? "";
assert.equal(text, whole.choices[0].message.content);

// The helper checks each chunk.
const helped = await client.chat.completions.stream({ ...hello, n: 2, logprobs: true }).finalChatCompletion();
assert.equal(helped.choices.length, 2);
assert.equal(helped.choices[0].message.content, whole.choices[0].message.content);
assert.ok(helped.choices[1].logprobs.content.length > 0);

const forced = { ...hello, max_tokens: 200, tools, tool_choice: "required" };
const called = await client.chat.completions.stream(forced).finalChatCompletion();
const call = called.choices[0].message.tool_calls[0];
assert.equal(called.choices[0].finish_reason, "tool_calls");
assert.ok(["Oslo", "東京"].includes(JSON.parse(call.function.arguments).city));

const schema = { type: "object", properties: { n: { type: "integer", minimum: 0, maximum: 9 } }, required: ["n"], additionalProperties: false };
const json = await client.chat.completions.create({ ...hello, max_tokens: 200, response_format: { type: "json_schema", json_schema: { name: "n", schema } } });
assert.ok(JSON.parse(json.choices[0].message.content).n <= 9);

await assert.rejects(client.chat.completions.create({ ...hello, model: "gpt-9" }), (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found");
await assert.rejects(client.chat.completions.create({ ...hello, n: 1000 }), (e) => e instanceof OpenAI.BadRequestError && e.param === "n");

const stream = await client.chat.completions.create({ ...hello, max_tokens: 4000, stream: true });
for await (const chunk of stream) { assert.ok(chunk.id); break; }
stream.controller.abort();
console.log("ok");
