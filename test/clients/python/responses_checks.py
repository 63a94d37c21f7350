"""Checks of OpenAI's Python package, Responses API: `responses_checks.py CLASS CHECK` fails with an exception."""

import asyncio
import base64
import os
import sys
import time

import openai
from expectations import expect_base64, expect_failure
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

url = os.environ["GATEWAY_URL"]
key = os.environ["GATEWAY_KEY"]
api_version = "2025-04-01-preview"
call = "response.image_generation_call"
asked = {"model": "image", "input": "a cat"}


def options(api_key=key, **more):
    if sys.argv[1] == "OpenAI":
        return {"base_url": f"{url}/v1", "api_key": api_key, **more}
    # Responses are called on no path of a deployment, whatever this says.
    azure = {"azure_endpoint": url, "api_version": api_version, "azure_deployment": "ignored"}
    return {**azure, "api_key": api_key, **more}


def connect(*parameters, **more):
    return getattr(openai, sys.argv[1])(**options(*parameters, **more))


def connect_async():
    return getattr(openai, f"Async{sys.argv[1]}")(**options())


def with_partials(count):
    return {**asked, "tools": [{"type": "image_generation", "partial_images": count}]}


def expect_types(kind, value):
    """The package takes whatever comes. Here all that its types require must be there."""
    TypeAdapter(kind).validate_python(value.to_dict())


def expect_response(response, action="generate", size="1024x1024"):
    expect_types(Response, response)
    assert (response.status, response.error) == ("completed", None), response
    [item] = response.output
    assert (item.type, item.action) == ("image_generation_call", action), item
    expect_base64(item.result, size)
    return item


def expect_events(events, partials):
    for event in events:
        expect_types(ResponseStreamEvent, event)
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        f"{call}.in_progress",
        f"{call}.generating",
        *[f"{call}.partial_image"] * partials,
        f"{call}.completed",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    for at, event in enumerate(events[5 : 5 + partials]):
        assert event.partial_image_index == at, event
        expect_base64(event.partial_image_b64)
    expect_response(events[-1].response)
    assert events[-2].item == events[-1].response.output[0]
    return events[-1].response


def check_create():
    response = connect().responses.create(**asked)
    expect_response(response)
    assert (response.model, response.output_text, response.usage.total_tokens > 0) == ("image", "", True), response
    assert response.usage.output_tokens_details.reasoning_tokens == 0


def check_create_async():
    async def create():
        async with connect_async() as client:
            expect_response(await client.responses.create(**asked))
            events = [event async for event in await client.responses.create(**with_partials(1), stream=True)]
            made = expect_events(events, 1)
            assert await client.responses.retrieve(made.id) == made
            await client.responses.delete(made.id)

    asyncio.run(create())


def check_options():
    tool = {"type": "image_generation", "size": "1024x1536", "quality": "low", "partial_images": 2}
    raw = connect().responses.with_raw_response.create(
        model="gpt-5.5",
        input="a cat",
        instructions="Draw in ink.",
        tools=[{**tool, "model": "image"}],
        tool_choice={"type": "image_generation"},
        metadata={"order": "4711"},
        max_output_tokens=1000,
    )
    adapted = raw.headers["x-gateway-adapted"]
    assert adapted == "model=ignored, max_output_tokens=ignored, tools.partial_images=ignored", adapted
    response = raw.parse()
    assert expect_response(response, size="1024x1536").quality == "low"
    assert response.metadata == {"order": "4711"}, response


def check_stream():
    client = connect()
    made = expect_events(list(client.responses.create(**with_partials(2), stream=True)), 2)
    assert client.responses.retrieve(made.id) == made


def check_helper():
    client = connect()
    with client.responses.stream(**with_partials(1)) as stream:
        types = [event.type for event in stream]
        final = stream.get_final_response()
    assert types.count(f"{call}.partial_image") == 1 and types[-1] == "response.completed", types
    expect_base64(final.output[0].result)
    with client.responses.stream(response_id=final.id, starting_after=4) as stream:
        numbers = [event.sequence_number for event in stream]
        again = stream.get_final_response()
    assert (numbers[0] > 4, again.output[0].result) == (True, final.output[0].result), numbers


def check_resume():
    client = connect()
    events = list(client.responses.create(**with_partials(2), stream=True))
    made = expect_events(events, 2)
    kept = [event for event in events if event.type != f"{call}.partial_image"]
    assert list(client.responses.retrieve(made.id, stream=True)) == kept
    for last in range(len(events)):
        rest = list(client.responses.retrieve(made.id, stream=True, starting_after=last))
        assert rest == [event for event in kept if event.sequence_number > last], (last, rest)


def check_turns():
    responses = connect().responses
    first = responses.create(**asked)
    second = responses.create(model="image", previous_response_id=first.id, input="a hat on it")
    expect_response(second, "edit")
    # The way of OpenAI's documents: the items of the output become items of the input.
    turn = [{"role": "user", "content": "a cat"}, *second.output, {"role": "user", "content": "make it red"}]
    expect_response(responses.create(model="image", input=turn), "edit")
    by_id = {"type": "image_generation_call", "id": first.output[0].id}
    expect_response(responses.create(model="image", input=[by_id, {"role": "user", "content": "in blue"}]), "edit")


def check_input_image():
    with open(os.environ["IMAGE"], "rb") as file:
        image = base64.b64encode(file.read()).decode()
    content = [
        {"type": "input_text", "text": "a hat on it"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{image}"},
    ]
    response = connect().responses.create(model="image", input=[{"role": "user", "content": content}])
    expect_response(response, "edit")


def check_retrieve():
    responses = connect().responses
    made = responses.create(**asked)
    assert responses.retrieve(made.id) == made
    expect_unknown(lambda: responses.retrieve("resp_unknown"))


def expect_unknown(call):
    expect_failure(openai.NotFoundError, 404, "job_not_found", call)


def ended(client, response):
    while response.status in {"queued", "in_progress"}:
        time.sleep(0.05)
        response = client.responses.retrieve(response.id)
    return response


def check_background():
    client = connect()
    created = client.responses.create(**asked, background=True)
    expect_types(Response, created)
    assert created.status in {"queued", "in_progress"} and created.output == [], created
    response = ended(client, created)
    expect_response(response)
    assert response.id == created.id
    refused = client.responses.create(model="image", input="simulate:moderation-blocked", background=True)
    refused = ended(client, refused)
    assert (refused.status, refused.error.code) == ("failed", "moderation_blocked"), refused


def check_cancel():
    client = connect()
    running = client.responses.create(model="image", input="simulate:hang", background=True)
    while client.responses.retrieve(running.id).status != "in_progress":
        time.sleep(0.05)
    waiting = client.responses.create(**asked, background=True)
    assert waiting.status == "queued", waiting
    for response in [client.responses.cancel(waiting.id), client.responses.cancel(waiting.id)]:
        assert (response.id, response.status, response.output) == (waiting.id, "cancelled", []), response
    cancel = lambda: client.responses.cancel(running.id)
    expect_failure(openai.BadRequestError, 400, "job_not_cancellable", cancel)


def check_remove():
    responses = connect().responses
    made = responses.create(**asked)
    assert responses.delete(made.id) is None
    expect_unknown(lambda: responses.retrieve(made.id))


def check_not_stored():
    responses = connect().responses
    made = responses.create(**asked, store=False)
    expect_response(made)
    expect_unknown(lambda: responses.retrieve(made.id))


def check_errors():
    create = connect().responses.create
    refused = {"model": "image", "input": "simulate:moderation-blocked"}
    expect_failure(openai.BadRequestError, 400, "moderation_blocked", lambda: create(**refused))
    last = list(create(**refused, stream=True))[-1]
    assert (last.type, last.response.error.code) == ("response.failed", "moderation_blocked"), last
    sized = {**asked, "tools": [{"type": "image_generation", "size": "10x10"}]}
    expect_failure(openai.BadRequestError, 400, "invalid_value", lambda: create(**sized), "tools[0].size")
    searching = {**asked, "tools": [{"type": "web_search"}]}
    expect_failure(openai.BadRequestError, 400, "unsupported_parameter", lambda: create(**searching), "tools")
    unknown = {**asked, "model": "nobody"}
    expect_failure(openai.NotFoundError, 404, "model_not_found", lambda: create(**unknown), "model")
    wrong = connect("wrong").responses.create
    expect_failure(openai.AuthenticationError, 401, "invalid_api_key", lambda: wrong(**asked))


def check_billed_once():
    """Gives up long before the image is there. The package's own retries get it, with the same key."""
    responses = connect(timeout=0.8).responses
    request = {"model": "image", "input": "simulate:slow-1500", "extra_headers": {"Idempotency-Key": "order-4711"}}
    made = responses.create(**request)
    expect_response(made)
    assert responses.create(**request) == made
    assert expect_events(list(responses.create(**request, stream=True)), 0) == made


def check_addresses():
    expect_response(connect().responses.create(model="azure-image", input="a cat"))


globals()[f"check_{sys.argv[2]}"]()
