"""Checks of pipecat's Azure image service against the gateway: `pipecat_checks.py CHECK` fails with an exception."""

import asyncio
import io
import os
import sys
import urllib.request

import aiohttp
from PIL import Image
from pipecat.frames.frames import ErrorFrame, URLImageRawFrame
from pipecat.services.azure.image import AzureImageGenServiceREST

url = os.environ["GATEWAY_URL"]
key = os.environ["GATEWAY_KEY"]


async def generate(prompt, prefix="", api_key=key, **settings):
    """All frames of one prompt."""
    async with aiohttp.ClientSession() as session:
        service = AzureImageGenServiceREST(
            api_key=api_key,
            endpoint=f"{url}{prefix}/",
            aiohttp_session=session,
            settings=AzureImageGenServiceREST.Settings(**settings),
        )
        return [frame async for frame in service.run_image_gen(prompt)]


def expect_image(frames, size=(1024, 1024)):
    """One frame, with the pixels of the image that its link leads to."""
    [frame] = frames
    assert isinstance(frame, URLImageRawFrame), frame
    assert frame.size == size, frame.size
    with urllib.request.urlopen(frame.url) as file:
        image = Image.open(io.BytesIO(file.read()))
    assert (image.format, image.mode) == ("PNG", frame.format), (image.format, image.mode, frame.format)
    assert len(frame.image) == size[0] * size[1] * len(image.getbands())
    assert frame.image == image.tobytes()


async def check_url():
    expect_image(await generate("a cat"))


async def check_size():
    expect_image(await generate("a cat", image_size="1024x1536"), (1024, 1536))


async def check_unknown_size():
    """The size of its examples is one that only old models have."""
    expect_image(await generate("a cat", image_size="512x512"))


async def check_prefix():
    expect_image(await generate("a cat", prefix="/m/azure-image"))


async def check_refused_at_once():
    """It looks for the operation's address and at nothing else."""
    try:
        await generate("a cat", api_key="wrong")
    except KeyError as error:
        assert "operation-location" in str(error), error
        return
    raise AssertionError("the call succeeded")


async def check_refused_later():
    """It polls once a second for two minutes, whatever the response says. Here a second is short."""
    sleep = asyncio.sleep
    asyncio.sleep = lambda seconds: sleep(seconds / 100)
    [frame] = await generate("simulate:moderation-blocked")
    assert isinstance(frame, ErrorFrame) and frame.error == "Image generation timed out", frame


asyncio.run(globals()[f"check_{sys.argv[1]}"]())
