"""What a program does with OpenAI's Python library: sdk_python.py URL. Any failure is an exception."""

import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
hello = {"model": "tiny", "messages": [{"role": "user", "content": "Alice lives in"}], "max_tokens": 16, "seed": 1}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "of a city", "parameters": {
    "type": "object", "properties": {"city": {"enum": ["Oslo", "東京"]}}, "required": ["city"], "additionalProperties": False}}}]


def models():
    assert [m.id for m in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").id == "tiny"


def whole_and_stream():
    whole = client.chat.completions.create(**hello)
    assert whole.usage.completion_tokens <= 16 and whole._request_id.startswith("req_")
    text, usage = "", None
    for chunk in client.chat.completions.create(**hello, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
    assert text == whole.choices[0].message.content, (text, whole)
    assert usage.total_tokens == whole.usage.total_tokens


def choices_and_logprobs():
    answer = client.chat.completions.create(**hello, n=3, logprobs=True, top_logprobs=4)
    assert [c.index for c in answer.choices] == [0, 1, 2]
    for choice in answer.choices:
        tokens = choice.logprobs.content
        assert len(tokens[0].top_logprobs) == 4 and all(t.logprob <= 0 for t in tokens)
        joined = b"".join(bytes(t.bytes) for t in tokens).decode(errors="replace")
        assert joined == choice.message.content, (joined, choice)


def tools():
    forced = {**hello, "max_tokens": 200, "tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "weather"}}}
    choice = client.chat.completions.create(**forced).choices[0]
    call = choice.message.tool_calls[0]
    assert choice.finish_reason == "tool_calls" and call.function.name == "weather"
    assert json.loads(call.function.arguments)["city"] in ("Oslo", "東京")
    with client.chat.completions.stream(**forced) as stream:
        assert "content.delta" not in {event.type for event in stream}
        last = stream.get_final_completion().choices[0].message.tool_calls[0]
    assert last.function.arguments == call.function.arguments
    # The result goes back.
    messages = [*hello["messages"], choice.message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    client.chat.completions.create(**{**hello, "messages": messages, "tools": TOOLS}, parallel_tool_calls=False)
    client.chat.completions.create(**hello, tools=TOOLS, tool_choice="none")


def json_schema():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 9}}, "required": ["n"], "additionalProperties": False}
    answer = client.chat.completions.create(**{**hello, "max_tokens": 200}, response_format={
        "type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}})
    assert 0 <= json.loads(answer.choices[0].message.content)["n"] <= 9, answer
    from pydantic import BaseModel

    class Answer(BaseModel):
        is_red: bool

    parsed = client.chat.completions.parse(**{**hello, "max_tokens": 200}, response_format=Answer)
    assert isinstance(parsed.choices[0].message.parsed.is_red, bool)

    class Weather(BaseModel):
        is_today: bool

    # Beside tools: one or the other, both as their types.
    kinds = set()
    for seed in range(8):
        both = client.chat.completions.parse(**{**hello, "max_tokens": 200, "seed": seed}, response_format=Answer,
                                             tools=[openai.pydantic_function_tool(Weather)])
        message = both.choices[0].message
        if message.tool_calls:
            assert message.parsed is None and both.choices[0].finish_reason == "tool_calls", both
            assert all(isinstance(call.function.parsed_arguments, Weather) for call in message.tool_calls), both
        else:
            assert isinstance(message.parsed, Answer), both
        kinds.add(bool(message.tool_calls))
    assert kinds == {False, True}, kinds


def errors():
    for change, kind, code in (({"model": "gpt-9"}, openai.NotFoundError, "model_not_found"),
                               ({"temperature": 5}, openai.BadRequestError, "invalid_value"),
                               ({"messages": []}, openai.BadRequestError, "invalid_value"),
                               ({"messages": [{"role": "user", "content": "a" * 50000}]}, openai.BadRequestError, "context_length_exceeded")):
        try:
            client.chat.completions.create(**{**hello, **change})
        except kind as error:
            assert error.code == code, error
        else:
            raise AssertionError(change)


def cancel():
    stream = client.chat.completions.create(**{**hello, "max_tokens": 4000}, stream=True)
    next(iter(stream))
    stream.close()


for check in (models, whole_and_stream, choices_and_logprobs, tools, json_schema, errors, cancel):
    check()
    print("ok", check.__name__)
