import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { call, devicePath, keyOf, PealError } from "../src/api.js";

/** Starts a server for one test, and gives its URL. */
async function serve(t: TestContext, handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a call carries the token and the body", async (t) => {
  const url = await serve(t, (request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => response.end(JSON.stringify({ method: request.method, path: request.url, auth: request.headers.authorization, body })));
  });
  assert.deepEqual(await call(url, "t", "PUT", "/v1/x", { a: 1 }), { method: "PUT", path: "/v1/x", auth: "Bearer t", body: '{"a":1}' });
  assert.deepEqual(await call(url, "t", "GET", "/v1/x"), { method: "GET", path: "/v1/x", auth: "Bearer t", body: "" });
});

test("a problem is told with its code and fields", async (t) => {
  const url = await serve(t, (_, response) => {
    response.writeHead(422, { "Content-Type": "application/problem+json" });
    response.end('{"title":"A field is wrong","code":"invalid_request","errors":[{"path":"locale","message":"give BCP 47"}]}');
  });
  await assert.rejects(call(url, "secret", "GET", "/v1/client"), (e: PealError) => {
    assert.deepEqual([e.status, e.code, e.message], [422, "invalid_request", "GET /v1/client: 422 A field is wrong; locale: give BCP 47"]);
    return true;
  });
});

test("a proxy's page and a server that is away are errors, too", async (t) => {
  const url = await serve(t, (_, response) => response.writeHead(502).end("<html>"));
  await assert.rejects(call(url, "t", "GET", "/"), (e: PealError) => e.status === 502 && e.code === "");
  await assert.rejects(call("http://127.0.0.1:1", "t", "GET", "/"), (e: PealError) => e.status === 0);
});

test("the key is that of the app's integration", () => {
  const web_push = [
    { integration_id: "1", public_key: "any" },
    { integration_id: "2", public_key: "shop", apps: ["shop", "shop2"] },
  ];
  assert.equal(keyOf({ web_push }, "shop2"), "shop");
  assert.equal(keyOf({ web_push }, "other"), "any");
  assert.throws(() => keyOf({ web_push: web_push.slice(1) }, "other"), /no integration of kind webpush serves the app "other"/);
});

test("ids stand escaped in a path", () => {
  assert.equal(devicePath("a/b c", "x?y"), "/v1/users/a%2Fb%20c/devices/x%3Fy");
});
