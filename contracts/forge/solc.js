#!/usr/bin/env node
// The compiler of package-lock.json as a program that forge can call: `--version`, and else
// `--standard-json` from standard input. QUIRE_SOLC: where its npm packages are installed.
const fs = require("fs");
const solc = require(require.resolve("solc", { paths: [process.env.QUIRE_SOLC] }));
const isVersion = process.argv.includes("--version");
const version = `solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`;
// A pipe takes 64 KiB at a time: write until all is gone.
let rest = Buffer.from(isVersion ? version : solc.compile(fs.readFileSync(0, "utf8")));
while (rest.length > 0) {
  try {
    rest = rest.subarray(fs.writeSync(1, rest));
  } catch (error) {
    if (error.code !== "EAGAIN") throw error;
  }
}
