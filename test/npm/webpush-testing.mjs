// Starts the push service of the npm package "web-push-testing", which Peal did
// not write, on 127.0.0.1 and a free port: it verifies what Peal's Web Push
// client signs and decrypts what it encrypts. webpush_client_test.go runs this
// file and talks to it; it ends when its standard input does.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { PushApiModel } = require("web-push-testing/src/PushApiModel.js");
const Server = require("web-push-testing/src/server.js");

const model = new PushApiModel();
const server = new Server(model, 0);
// The package would listen on every interface.
const listen = server._app.listen.bind(server._app);
server._app.listen = (port, ready) =>
  listen(port, "127.0.0.1", function () {
    const { address, port: got } = this.address();
    model.notifyUrl = `http://${address}:${got}/notify/`;
    ready();
    console.log(`READY http://${address}:${got}`);
  });
server.startServer();

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
