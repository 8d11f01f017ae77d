import assert from "node:assert/strict";
import { test } from "node:test";
import { link, parse } from "../src/message.js";

const base = "https://shop.example/app/";

test("a push of Peal", () => {
  const m = parse(
    JSON.stringify({
      web_push: 8030,
      notification: {
        title: "Your order",
        body: "It is on its way",
        navigate: "https://shop.example/orders/17",
        lang: "en",
        icon: "/icon.png",
        image: "https://cdn.example/parcel.jpg",
        tag: "order-17",
        data: { peal: { delivery_id: "d1" }, order: "17" },
        actions: [
          { action: "track", title: "Track it", navigate: "orders/17/track", icon: "t.png" },
          { action: "later", title: "Later" },
        ],
      },
      app_badge: 3,
      mutable: true,
    }),
    base,
  );
  assert.deepEqual(m, {
    deliveryId: "d1",
    title: "Your order",
    body: "It is on its way",
    silent: false,
    data: { order: "17" },
    actions: [
      { id: "track", title: "Track it", link: "https://shop.example/app/orders/17/track", icon: "https://shop.example/app/t.png" },
      { id: "later", title: "Later" },
    ],
    link: "https://shop.example/orders/17",
    icon: "https://shop.example/icon.png",
    image: "https://cdn.example/parcel.jpg",
    tag: "order-17",
    lang: "en",
    badge: 3,
  });
});

test("what is not Peal's is shown as it is", () => {
  for (const text of ["", "hello", "{", "null", "[]", "8030", '{"data":{"x":1}}', '{"notification":{}}']) {
    assert.deepEqual(parse(text, base), { deliveryId: "", title: "", body: text, silent: false, data: text.includes("x") ? { x: 1 } : {}, actions: [] }, text);
  }
});

test("fields of other types are left out", () => {
  const m = parse(
    JSON.stringify({
      web_push: 8030,
      notification: {
        title: "T", body: null, navigate: {}, icon: 7, tag: [], data: "x",
        actions: [null, "x", { action: "a" }, { title: "b" }, { action: 1, title: "c" }, { action: "d", title: "D", navigate: "javascript:alert(1)" }],
      },
      app_badge: -1,
    }),
    base,
  );
  assert.deepEqual(m, { deliveryId: "", title: "T", body: "", silent: false, data: {}, actions: [{ id: "d", title: "D" }] });
});

test("a silent push has data alone", () => {
  const m = parse('{"data":{"peal":{"delivery_id":"d1","silent":true},"sync":"cart"},"app_badge":0}', base);
  assert.deepEqual(m, { deliveryId: "d1", title: "", body: "", silent: true, data: { sync: "cart" }, actions: [], badge: 0 });
});

test("a notification need not be declarative", () => {
  const m = parse('{"notification":{"title":"x","data":{"peal":{"delivery_id":"d1"}}}}', base);
  assert.deepEqual([m.deliveryId, m.title, m.silent], ["d1", "x", false]);
});

test("only http and https are opened", () => {
  for (const bad of ["javascript:alert(1)", "data:text/html,x", "blob:https://shop.example/1", "file:///etc/passwd", "intent://x", "https://", "", 1, null]) {
    assert.equal(link(bad, base), undefined, String(bad));
  }
  assert.equal(link("../x?y#z", base), "https://shop.example/x?y#z");
  assert.equal(link("http://shop.example", base), "http://shop.example/");
});
