"""Checks of OpenAI's Python package against the gateway: `checks.py CLASS CHECK` fails with an exception."""

import base64
import json
import os
import sys
import urllib.request

import openai
from expectations import expect_base64, expect_failure, expect_png
from openai.types import ImagesResponse

url = os.environ["GATEWAY_URL"]
key = os.environ["GATEWAY_KEY"]
images = os.environ["IMAGES"]
awkward_names = json.loads(os.environ["AWKWARD_NAMES"])
api_version = "2025-04-01-preview"


def connect(api_key=key, **options):
    if sys.argv[1] == "OpenAI":
        return openai.OpenAI(base_url=f"{url}/v1", api_key=api_key, **options)
    return openai.AzureOpenAI(azure_endpoint=url, api_key=api_key, api_version=api_version, **options)


def read(name):
    with open(os.path.join(images, name), "rb") as file:
        return file.read()


def image(name="teal.png"):
    return (name, read(name), "image/png")


def expect_image(item, size="1024x1024"):
    expect_base64(item.b64_json, size)


def check_base64():
    answer = connect().images.generate(model="image", prompt="a cat", size="1536x1024")
    expect_image(answer.data[0], "1536x1024")
    assert answer.usage.total_tokens > 0


def check_url():
    answer = connect().images.generate(model="image", prompt="a cat", response_format="url")
    with urllib.request.urlopen(answer.data[0].url) as file:
        expect_png(file.read())


def check_several():
    answer = connect().images.generate(model="image", prompt="a cat", n=3)
    assert len(answer.data) == 3
    for item in answer.data:
        expect_image(item)


def check_options():
    answer = connect().images.generate(
        model="image", prompt="a cat", quality="low", output_format="jpeg", output_compression=50, user="somebody"
    )
    assert base64.b64decode(answer.data[0].b64_json)[:3] == b"\xff\xd8\xff"


def check_stream():
    stream = connect().images.generate(model="image", prompt="a cat", stream=True, partial_images=2)
    expect_events(list(stream), "image_generation")


def expect_events(events, kind):
    types = [event.type for event in events]
    assert types == [f"{kind}.partial_image"] * 2 + [f"{kind}.completed"], types
    for event in events:
        expect_image(event)


def check_edit():
    answer = connect().images.edit(model="image", prompt="a hat", image=image(), size="1536x1024")
    expect_image(answer.data[0], "1536x1024")


def check_edit_several():
    images = [image("teal.png"), image("coral.png")]
    expect_image(connect().images.edit(model="image", prompt="a hat", image=images).data[0])


def check_mask():
    mask = image("mask.png")
    expect_image(connect().images.edit(model="image", prompt="a hat", image=image(), mask=mask).data[0])


def check_edit_stream():
    stream = connect().images.edit(
        model="image", prompt="a hat", image=image(), stream=True, partial_images=2
    )
    expect_events(list(stream), "image_edit")


def check_edit_file():
    with open(os.path.join(images, "teal.png"), "rb") as file:
        expect_image(connect().images.edit(model="image", prompt="a hat", image=file).data[0])


def check_edit_bytes():
    expect_image(connect().images.edit(model="image", prompt="a hat", image=read("teal.png")).data[0])


def check_errors():
    generate = connect().images.generate
    prompt = "a cat"
    expect_failure(
        openai.BadRequestError, 400, "invalid_value", lambda: generate(model="image", prompt=prompt, n=11), "n"
    )
    unknown = "model_not_found" if sys.argv[1] == "OpenAI" else "DeploymentNotFound"
    expect_failure(
        openai.NotFoundError, 404, unknown, lambda: generate(model="nobody", prompt=prompt), "model"
    )
    wrong = connect("wrong").images.generate
    expect_failure(
        openai.AuthenticationError, 401, "invalid_api_key", lambda: wrong(model="image", prompt=prompt)
    )
    for name, kind, status, code in [
        ("429-ms-20", openai.RateLimitError, 429, "rate_limit_exceeded"),
        ("500", openai.InternalServerError, 502, "upstream_generation_failed"),
        ("moderation-blocked", openai.BadRequestError, 400, "moderation_blocked"),
    ]:
        expect_failure(kind, status, code, lambda: generate(model="image", prompt=f"simulate:{name}"))


def check_billed_once():
    """Failures after which the package, left alone, would ask twice more; three of them are billed."""
    for name in ["429-ms-20", "503-busy-1", "500-html", "504", "reset-before-headers"]:
        try:
            connect().images.generate(model="image", prompt=f"simulate:{name}")
        except openai.APIError:
            continue
        raise AssertionError(f"{name} succeeded")


def check_idempotency_key():
    """Gives up long before the image is there. The package's own retries get it, or else the same call that is made again."""
    client = connect(timeout=0.8)
    request = {"model": "image", "prompt": "simulate:slow-2500"}
    generated = until_done(client.images.generate, "generation", **request)
    expect_image(generated.data[0])
    expect_image(until_done(client.images.edit, "edit", image=image(), **request).data[0])
    stream = until_done(lambda **options: list(client.images.generate(stream=True, **options)), "stream", **request)
    assert [event.type for event in stream] == ["image_generation.completed"], stream
    replayed = client.images.with_raw_response.generate(extra_headers={"Idempotency-Key": "generation"}, **request)
    assert replayed.headers["idempotent-replayed"] == "true", replayed.headers
    assert replayed.parse().data[0].b64_json == generated.data[0].b64_json


def until_done(call, key, **request):
    for _ in range(20):
        try:
            return call(extra_headers={"Idempotency-Key": key}, **request)
        except openai.APITimeoutError:
            continue
    raise AssertionError("it never came")


def ended(client, job):
    """The response of the gateway waits until the job has ended."""
    options = {"headers": {"Prefer": "wait=20"}}
    return client.get(f"/images/jobs/{job.id}", cast_to=object, options=options)


def expect_job(job):
    assert job.id.startswith("imgjob_") and job.object == "image.job", job
    client = connect()
    assert ended(client, job)["status"] == "completed"
    content = client.get(f"/images/jobs/{job.id}/content", cast_to=ImagesResponse)
    [item] = content.data
    expect_image(item)


def check_job_background():
    expect_job(connect().images.generate(model="image", prompt="a cat", extra_body={"background": True}))


def check_job_prefer():
    client = connect()
    raw = client.images.with_raw_response.generate(
        model="image", prompt="a cat", extra_headers={"Prefer": "respond-async"}
    )
    assert raw.status_code == 202, raw.status_code
    job = raw.parse()
    assert client.get(raw.headers["location"], cast_to=object)["id"] == job.id
    expect_job(job)


def check_job_edit():
    headers = {"Prefer": "respond-async"}
    expect_job(connect().images.edit(model="image", prompt="a hat", image=image(), extra_headers=headers))


def check_job_started_again():
    """The first response is lost, and the package repeats the request."""
    headers = {"Prefer": "respond-async"}
    expect_job(connect().images.generate(model="image", prompt="a cat", extra_headers=headers))


def check_job_fails():
    client = connect()
    prompt = "simulate:moderation-blocked"
    job = client.images.generate(model="image", prompt=prompt, extra_headers={"Prefer": "respond-async"})
    state = ended(client, job)
    assert (state["status"], state["error"]["code"]) == ("failed", "moderation_blocked"), state
    content = lambda: client.get(f"/images/jobs/{job.id}/content", cast_to=ImagesResponse)
    expect_failure(openai.BadRequestError, 400, "moderation_blocked", content)


def check_models():
    ids = [model.id for model in connect().models.list()]
    assert ids[:3] == ["image", *awkward_names], ids
    for name in ["image", *awkward_names]:
        assert connect().models.retrieve(name).id == name
    expect_failure(
        openai.NotFoundError, 404, "model_not_found", lambda: connect().models.retrieve("no body/knows"), "model"
    )


def check_names():
    for name in awkward_names:
        expect_image(connect().images.generate(model=name, prompt="a cat").data[0])
        expect_image(connect().images.edit(model=name, prompt="a hat", image=image()).data[0])


def check_azure_deployment():
    client = connect(azure_deployment="azure-image")
    expect_image(client.images.generate(prompt="a cat", model="ignored").data[0])
    expect_image(client.images.edit(prompt="a hat", image=image()).data[0])


def check_azure_base_url():
    base_url = f"{url}/openai/deployments/azure-image"
    client = openai.AzureOpenAI(base_url=base_url, api_key=key, api_version=api_version)
    expect_image(client.images.generate(prompt="a cat").data[0])
    expect_image(client.images.edit(prompt="a hat", image=image()).data[0])


def check_azure_token():
    client = openai.AzureOpenAI(azure_endpoint=url, azure_ad_token_provider=lambda: key, api_version=api_version)
    expect_image(client.images.generate(model="azure-image", prompt="a cat").data[0])
    expect_image(client.images.edit(model="azure-image", prompt="a hat", image=image()).data[0])


globals()[f"check_{sys.argv[2]}"]()
