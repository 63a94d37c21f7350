"""Checks of Azure's client of Foundry projects: `azure_ai_projects_checks.py CHECK` fails with an exception."""

import os
import sys
import time

import openai
from azure.ai.projects import AIProjectClient
from azure.core.credentials import AccessToken, AccessTokenInfo
from expectations import expect_base64, expect_failure

url = os.environ["GATEWAY_URL"]
key = os.environ["GATEWAY_KEY"]
call = "response.image_generation_call"


class GatewayKey:
    """A credential whose token is a key of the gateway."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *scopes, **options):
        return AccessToken(self.token, int(time.time()) + 3600)

    def get_token_info(self, *scopes, options=None):
        return AccessTokenInfo(self.token, int(time.time()) + 3600)


def connect(token=key):
    project = AIProjectClient(endpoint=f"{url}/api/projects/shop", credential=GatewayKey(token))
    return project.get_openai_client()


def draw(client, **more):
    """The call of Microsoft's sample for image generation."""
    return client.responses.create(
        input="Generate an image of a cat.",
        extra_headers={"x-ms-oai-image-generation-deployment": "gpt-image-1"},
        extra_body={"agent_reference": {"name": "agent-image-generation", "type": "agent_reference"}},
        **more,
    )


def expect_image(response):
    [item] = [output for output in response.output if output.type == "image_generation_call"]
    expect_base64(item.result)


def check_create():
    response = draw(connect())
    expect_image(response)
    assert response.model == "image", response


def check_stream():
    events = list(draw(connect(), stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events][-3:] == [
        f"{call}.completed",
        "response.output_item.done",
        "response.completed",
    ]
    expect_image(events[-1].response)


def check_turns():
    client = connect()
    first = draw(client)
    second = draw(client, previous_response_id=first.id)
    expect_image(second)
    assert second.output[0].action == "edit", second


def check_retrieve():
    client = connect()
    made = draw(client)
    assert client.responses.retrieve(made.id) == made


def check_background():
    client = connect()
    response = draw(client, background=True)
    while response.status in {"queued", "in_progress"}:
        time.sleep(0.05)
        response = client.responses.retrieve(response.id)
    expect_image(response)


def check_errors():
    agent = {"agent_reference": {"name": "nobody", "type": "agent_reference"}}
    create = lambda: connect().responses.create(input="a cat", extra_body=agent)
    expect_failure(openai.NotFoundError, 404, "model_not_found", create, "model")
    wrong = lambda: draw(connect("wrong"))
    expect_failure(openai.AuthenticationError, 401, "invalid_api_key", wrong)


def check_images():
    made = connect().images.generate(model="gpt-image-1", prompt="a cat")
    expect_base64(made.data[0].b64_json)


globals()[f"check_{sys.argv[1]}"]()
