// Builds the module and the service worker into a folder: node build.mjs dist. With --tests it bundles the tests instead,
// for node 20 does not read TypeScript.
import { readdirSync } from "node:fs";
import { build } from "esbuild";

const [tests, out] = process.argv[2] === "--tests" ? [true, process.argv[3]] : [false, process.argv[2]];
if (!out) {
  console.error("usage: node build.mjs [--tests] FOLDER");
  process.exit(2);
}
const shared = { bundle: true, target: "es2022", charset: "utf8", legalComments: "none", logLevel: "warning" };
const head = (name) => ({ js: `// ${name} of Peal, built from web/client/src. License: Apache-2.0.` });

if (tests) {
  const entries = readdirSync("test").filter((f) => f.endsWith(".test.ts"));
  if (entries.length === 0) throw new Error("there are no tests in test/");
  await build({ ...shared, entryPoints: entries.map((f) => `test/${f}`), outdir: out, platform: "node", format: "esm", outExtension: { ".js": ".mjs" } });
} else {
  await build({ ...shared, entryPoints: { peal: "src/peal.ts" }, outdir: out, format: "esm", banner: head("The browser module") });
  // A classic script, so that importScripts takes it from another origin.
  await build({ ...shared, entryPoints: { "peal-sw": "src/worker.ts" }, outdir: out, format: "iife", banner: head("The service worker") });
}
