"""Lets the Python package `mcp` put the questions of `ringfence mcp serve` to a person who answers them in turn:
yes, no, and not at all. Says for each call what was asked and what came of it.

    approve.py PROGRAM ARGUMENT...    over standard input and output
    approve.py URL TOKEN              over HTTP
"""

import asyncio
import os
import sys

from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

ANSWERS = [
    types.ElicitResult(action="accept", content={"approval": "approve-once"}),
    types.ElicitResult(action="accept", content={"approval": "deny"}),
    types.ElicitResult(action="decline"),
]


async def talk(read, write):
    answers = iter(ANSWERS)

    async def person(context, question):
        print("asked", *(line.strip() for line in question.message.splitlines() if " runs " in line))
        return next(answers)

    async with ClientSession(read, write, elicitation_callback=person) as session:
        await session.initialize()
        for _ in ANSWERS:
            called = await session.call_tool("native_run", {"argv": ["cat", "note.txt"]})
            print("said", called.content[0].text)


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
