// Usage: node exchange.cjs <directory of packages> <working directory> <step>
// Each step reads and writes files of the working directory and prints one line of JSON.
"use strict";
const { createRequire } = require("node:module");
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const [, , packages, place, step] = process.argv;
const snarkjs = createRequire(join(packages, "package.json"))("snarkjs");
const at = (name) => join(place, name);
const read = (name) => JSON.parse(readFileSync(at(name), "utf8"));
const write = (name, value) => writeFileSync(at(name), JSON.stringify(value));

const steps = {
  // Our proof under our key, then with another public input.
  async verify() {
    const [key, input, proof] = ["key.json", "public.json", "proof.json"].map(read);
    const good = await snarkjs.groth16.verify(key, input, proof);
    const changed = [...input.slice(0, -1), String(BigInt(input.at(-1)) + 1n)];
    return { good, changed: await snarkjs.groth16.verify(key, changed, proof) };
  },
  // A proof by snarkjs from our key and our witness, and the key as it exports it.
  async prove() {
    const { proof, publicSignals } = await snarkjs.groth16.prove(at("our.zkey"), at("our.wtns"));
    write("their_proof.json", proof);
    write("their_public.json", publicSignals);
    const { vk_alphabeta_12, ...key } = await snarkjs.zKey.exportVerificationKey(at("our.zkey"));
    write("their_key.json", key);
    return { witness: await snarkjs.wtns.check(at("our.r1cs"), at("our.wtns")) };
  },
  // A key by the whole ceremony of snarkjs for our circuit.
  async setup() {
    const curve = await snarkjs.curves.getCurveFromName("bn128");
    await snarkjs.powersOfTau.newAccumulator(curve, 5, at("0.ptau"));
    await snarkjs.powersOfTau.contribute(at("0.ptau"), at("1.ptau"), "test", "one");
    await snarkjs.powersOfTau.preparePhase2(at("1.ptau"), at("2.ptau"));
    await snarkjs.zKey.newZKey(at("our.r1cs"), at("2.ptau"), at("0.zkey"));
    await snarkjs.zKey.contribute(at("0.zkey"), at("their.zkey"), "test", "two");
    const ours = await snarkjs.zKey.verifyFromR1cs(at("our.r1cs"), at("2.ptau"), at("their.zkey"));
    write("key.json", await snarkjs.zKey.exportVerificationKey(at("their.zkey")));
    return { verified: ours };
  },
};

steps[step]().then(
  (found) => {
    console.log(JSON.stringify(found));
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
