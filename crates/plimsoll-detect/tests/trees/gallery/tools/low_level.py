import asyncio

from mcp.server import Server
from mcp.server.stdio import stdio_server

server = Server("low")


async def serve():
    async with stdio_server() as (read, write):
        await server.run(read, write, {})


if __name__ == "__main__":
    asyncio.run(serve())
