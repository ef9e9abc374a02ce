"""Speaks to `ringfence mcp serve` with the Python package `mcp`, as the arguments of the program say:

    PROGRAM ARGUMENT...    over standard input and output
    URL TOKEN              over HTTP
"""

import asyncio
import os
import sys

from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client


async def connected(talk, first, *rest):
    if first.startswith("http://"):
        headers = {"Authorization": f"Bearer {rest[0]}"}
        async with create_mcp_http_client(headers=headers) as http:
            async with streamable_http_client(first, http_client=http) as streams:
                await talk(streams[0], streams[1])
    else:
        server = StdioServerParameters(command=first, args=list(rest), env=dict(os.environ))
        async with stdio_client(server) as (read, write):
            await talk(read, write)


def speak(talk):
    """Connects and lets `talk` do the rest, with what is read and where is written."""
    asyncio.run(connected(talk, *sys.argv[1:]))
