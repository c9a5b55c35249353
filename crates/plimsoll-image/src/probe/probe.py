"""The words of the static probe, for images that have Python. Exit code 0: well, 1: not well, 2: not understood."""

import socket
import sys

USAGE = "usage: plimsoll-probe [--timeout SECONDS] http URL | tcp ADDRESS:PORT"


def end(code, message):
    print(message)
    sys.exit(code)


def place(text, port):
    host, colon, number = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, number = text, port
    try:
        return host.strip("[]"), int(number)
    except (TypeError, ValueError):
        end(2, "the address is not understood")


def ask(url, any_answer, timeout):
    authority = url.removeprefix("http://").split("#")[0]
    cut = min([at for at in map(authority.find, "/?") if at >= 0], default=len(authority))
    authority, path = authority[:cut], authority[cut:]
    if not path.startswith("/"):
        path = "/" + path
    request = f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: plimsoll-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    with socket.create_connection(place(authority, 80), timeout) as stream:
        stream.sendall(request.encode())
        answer = stream.makefile("rb")
        status = 100
        while 100 <= status < 200 and status != 101:
            words = answer.readline(4096).split()
            if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
                end(1, "the answer is not HTTP")
            status = int(words[1])
            while status < 200 and answer.readline(4096).strip():
                pass
    if any_answer or 200 <= status < 400:
        end(0, "well")
    end(1, "the answer is an error")


def main(words):
    timeout = 30.0
    if len(words) > 2 and words[0] == "--timeout":
        try:
            timeout, words = float(words[1]), words[2:]
        except ValueError:
            end(2, USAGE)
    try:
        match words:
            case ["http", url]:
                ask(url, False, timeout)
            case ["http-any", url]:
                ask(url, True, timeout)
            case ["tcp", address]:
                socket.create_connection(place(address, None), timeout).close()
                end(0, "well")
    except OSError as error:
        end(1, str(error))
    end(2, USAGE)


main(sys.argv[1:])
