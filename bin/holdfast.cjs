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
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, endUnlessHeard);
  void import(url.pathToFileURL(entry).href);
}

/** As PID 1 a signal that nobody listens for does nothing, and while the modules load nobody else does. */
function endUnlessHeard(signal) {
  if (process.listenerCount(signal) === 1) process.exit(0);
}

function fail(text) {
  process.stderr.write(text + "\n");
  process.exitCode = 1;
}
