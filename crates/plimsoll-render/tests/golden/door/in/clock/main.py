"""Tells the time, with nothing but Python."""

from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer


class Clock(BaseHTTPRequestHandler):
    def do_GET(self):
        body = datetime.now(timezone.utc).isoformat().encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    HTTPServer(("0.0.0.0", 8000), Clock).serve_forever()
