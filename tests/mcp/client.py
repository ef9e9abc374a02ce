"""Speaks to `ringfence mcp serve` with the Python package `mcp` and says what it saw, a line for each step.

    client.py PROGRAM ARGUMENT...    over standard input and output
    client.py URL TOKEN              over HTTP
"""

import asyncio
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

TOOL = "json_query_query"


async def talk(read, write):
    async with ClientSession(read, write) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools
        print("tools", *(tool.name for tool in tools))
        for arguments in ({"program": ".a", "json": '{"a":17}'}, {"program": 5}):
            answer = await session.call_tool(TOOL, arguments)
            texts = [one.text for one in answer.content if one.type == "text"]
            print("error" if answer.is_error else "answer", *texts)


async def main(first, *rest):
    if first.startswith("http://"):
        headers = {"Authorization": f"Bearer {rest[0]}"}
        async with create_mcp_http_client(headers=headers) as http:
            async with streamable_http_client(first, http_client=http) as streams:
                await talk(streams[0], streams[1])
    else:
        server = StdioServerParameters(command=first, args=list(rest), env=dict(os.environ))
        async with stdio_client(server) as (read, write):
            await talk(read, write)


asyncio.run(main(*sys.argv[1:]))
