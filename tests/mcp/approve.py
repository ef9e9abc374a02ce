"""Lets the Python package `mcp` put the questions of `ringfence mcp serve` to a person who answers them in turn:
yes, no, and not at all. Says for each call what was asked and what came of it.

    approve.py PROGRAM ARGUMENT...    over standard input and output
    approve.py URL TOKEN              over HTTP
"""

from mcp import ClientSession, types

from speak import speak

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


speak(talk)
