"""Checks of OpenAI's Python package before its version 1, which submits images to Azure and polls:
`openai_028_checks.py CHECK` fails with an exception."""

import asyncio
import base64
import os
import struct
import sys
import urllib.request

import openai
import requests

url = os.environ["GATEWAY_URL"]
openai.api_type = "azure"
openai.api_version = "2023-06-01-preview"
openai.api_base = url
openai.api_key = os.environ["GATEWAY_KEY"]


def expect_png(data, size="1024x1024"):
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:20]
    width, height = struct.unpack(">II", data[16:24])
    assert f"{width}x{height}" == size, (width, height)


def expect_link(item, size):
    """The link needs no credentials."""
    with urllib.request.urlopen(item["url"]) as file:
        expect_png(file.read(), size)


def expect_links(answer, count, size="1024x1024"):
    assert len(answer["data"]) == count, answer
    for item in answer["data"]:
        expect_link(item, size)


def failure(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("the call succeeded")


def check_base64():
    [item] = openai.Image.create(prompt="a cat", response_format="b64_json")["data"]
    expect_png(base64.b64decode(item["b64_json"]))


def check_url():
    expect_links(openai.Image.create(prompt="a cat"), 1)


def check_url_async():
    expect_links(asyncio.run(openai.Image.acreate(prompt="a cat")), 1)


def check_waits():
    """Without `retry-after` the package waits 10 s between polls."""
    responses = []
    session = requests.Session()
    session.hooks["response"].append(lambda response, **_: responses.append(response))
    openai.requestssession = session
    expect_links(openai.Image.create(prompt="simulate:slow-1500"), 1)
    submitted, *polls = responses
    assert (submitted.status_code, submitted.headers["retry-after"]) == (202, "1"), submitted.headers
    statuses = [poll.json()["status"] for poll in polls]
    assert statuses[-1] == "succeeded" and len(statuses) > 1, statuses
    assert set(statuses[:-1]) <= {"notRunning", "running"}, statuses
    assert [poll.headers.get("retry-after") for poll in polls] == ["1"] * (len(polls) - 1) + [None]


def check_several():
    expect_links(openai.Image.create(prompt="a cat", n=3), 3)


def check_several_calls():
    openai.api_base = f"{url}/m/dall-e-3"
    expect_links(openai.Image.create(prompt="a cat", n=2), 2)


def check_options():
    answer = openai.Image.create(prompt="a cat", size="1024x1536", response_format="url", user="somebody")
    expect_links(answer, 1, "1024x1536")


def check_refused_prompt():
    error = failure(openai.error.OpenAIError, lambda: openai.Image.create(prompt="simulate:moderation-blocked"))
    assert error.code == "contentFilter", error.code
    assert "safety" in str(error), str(error)


def check_refused_prompt_async():
    call = lambda: asyncio.run(openai.Image.acreate(prompt="simulate:filter-policy"))
    assert failure(openai.error.OpenAIError, call).code == "contentFilter"


def check_refused_value():
    error = failure(openai.error.InvalidRequestError, lambda: openai.Image.create(prompt="a cat", n=11))
    assert error.http_status == 400 and "n" in str(error), error


def check_wrong_key():
    openai.api_key = "wrong"
    error = failure(openai.error.AuthenticationError, lambda: openai.Image.create(prompt="a cat"))
    assert error.http_status == 401, error


def check_lost_response():
    """The package does not submit again by itself."""
    failure(openai.error.APIConnectionError, lambda: openai.Image.create(prompt="a cat"))


def check_lost_response_with_id():
    """Its own options cannot set a header, but its session can."""
    openai.requestssession = requests.Session()
    openai.requestssession.headers["Operation-Id"] = "0f2d1f6a-9f4c-4c0e-9a53-5f7f0c0f4b11"
    failure(openai.error.APIConnectionError, lambda: openai.Image.create(prompt="a cat"))
    expect_links(openai.Image.create(prompt="a cat"), 1)


def check_id_of_another_prompt():
    openai.requestssession = requests.Session()
    openai.requestssession.headers["Operation-Id"] = "0f2d1f6a-9f4c-4c0e-9a53-5f7f0c0f4b11"
    expect_links(openai.Image.create(prompt="a cat"), 1)
    error = failure(openai.error.InvalidRequestError, lambda: openai.Image.create(prompt="a dog"))
    assert error.http_status == 400, error


def check_prefix():
    openai.api_base = f"{url}/m/azure-image"
    expect_links(openai.Image.create(prompt="a cat"), 1)


def check_model():
    expect_links(openai.Image.create(model="azure-image", prompt="a cat"), 1)


def check_token():
    openai.api_type = "azure_ad"
    expect_links(openai.Image.create(prompt="a cat"), 1)


globals()[f"check_{sys.argv[1]}"]()
