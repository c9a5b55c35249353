import { createServer } from "node:http";
import { page } from "./page.js";

const backend = process.env.BACKEND_URL ?? "http://backend:8000";
const port = Number(process.env.PORT ?? 3000);

const server = createServer(async (request, response) => {
  if (request.url === "/health") {
    response.end("ok\n");
    return;
  }
  if (request.url.startsWith("/api/")) {
    const answer = await fetch(backend + request.url).catch(() => null);
    response.statusCode = answer?.status ?? 502;
    response.end(answer ? await answer.text() : "the backend does not answer\n");
    return;
  }
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.end(page("Ideas"));
});

server.listen(port, "0.0.0.0");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
