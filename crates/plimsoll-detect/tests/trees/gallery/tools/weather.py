import argparse

from mcp.server.fastmcp import FastMCP

server = FastMCP("weather", host="0.0.0.0", port=9300)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--transport", default="sse")
    arguments = parser.parse_args()
    server.run(transport=arguments.transport)


if __name__ == "__main__":
    main()
