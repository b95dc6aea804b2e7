// Buys storage with the SDK and prints what came back as JSON.
// node buy.cjs FOLDER-WITH-node_modules URL
const { createRequire } = require("node:module");
const [folder, url] = process.argv.slice(2);
const load = createRequire(`${folder}/`);
const { Codex } = load("@codex-storage/sdk-js");
const { NodeUploadStrategy } = load("@codex-storage/sdk-js/node");

const good = ({ error, data }) => {
  if (error) throw data;
  return data;
};

async function buy() {
  const { data, marketplace } = new Codex(url);
  const content = "from javascript".repeat(20000);
  const cid = good(await data.upload(new NodeUploadStrategy(content)).result);
  const order = {
    cid, duration: 600, expiry: 240, nodes: 3, tolerance: 1,
    pricePerBytePerSecond: 1, proofProbability: 1, collateralPerByte: 1,
  };
  const created = good(await marketplace.createStorageRequest(order));
  const refused = await marketplace.createStorageRequest({ ...order, expiry: 600 });
  return {
    created,
    refused: { code: refused.data.code, message: refused.data.message },
    ids: good(await marketplace.purchaseIds()),
    purchases: good(await marketplace.purchases()),
    detail: good(await marketplace.purchaseDetail("0x" + created)),
  };
}

buy().then(
  (found) => console.log(JSON.stringify(found, (_, v) => (typeof v === "bigint" ? `${v}` : v))),
  (error) => { console.error(error); process.exitCode = 1; },
);
