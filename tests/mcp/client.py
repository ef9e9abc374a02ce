"""Speaks to `ringfence mcp serve` with the Python package `mcp` and says what it saw, a line for each step.

    client.py PROGRAM ARGUMENT...    over standard input and output
    client.py URL TOKEN              over HTTP
"""

from mcp import ClientSession

from speak import speak

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


speak(talk)
