#!/usr/bin/env node
// Old syntax on purpose: this file has to be read by the Node that it refuses.
"use strict";

const fs = require("fs");
const path = require("path");
const url = require("url");

const needed = Number(/[0-9]+/.exec(require("../package.json").engines.node)[0]);
const running = Number(process.versions.node.split(".")[0]);
const entry = path.join(__dirname, "..", "dist", "app", "main.js");

if (running < needed) {
  fail(
    "Holdfast needs Node " +
      needed +
      " or later; this is Node " +
      process.versions.node +
      " (" +
      process.execPath +
      ").",
  );
} else if (!fs.existsSync(entry)) {
  fail("Holdfast is not built yet: run npm run build first.");
} else {
  beginAnew();
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, endUnlessHeard);
  void import(url.pathToFileURL(entry).href);
}

/**
 * Goes on as the same process with flags that V8 takes only at its start. By default the young generation grows to
 * several times of what thousands of tunnels need, and is never given back (docs/performance.md). Whoever sets the flag
 * himself is left alone; where a process cannot be replaced, it runs as it is.
 */
function beginAnew() {
  const given = process.execArgv.join(" ") + " " + (process.env.NODE_OPTIONS || "");
  if (/--max[-_]semi[-_]space[-_]size/.test(given) || typeof process.execve !== "function") return;
  const flags = process.execArgv.concat("--max-semi-space-size=16");
  try {
    process.execve(process.execPath, [process.argv0].concat(flags, process.argv.slice(1)), process.env);
  } catch (error) {
    process.stderr.write("holdfast: V8's flags could not be set: " + error.message + "\n");
  }
}

/** As PID 1 a signal that nobody listens for does nothing, and while the modules load nobody else does. */
function endUnlessHeard(signal) {
  if (process.listenerCount(signal) === 1) process.exit(0);
}

function fail(text) {
  process.stderr.write(text + "\n");
  process.exitCode = 1;
}
