// Makes every call of the SDK against a node and prints what came back as JSON.
// node every_call.cjs FOLDER-WITH-node_modules URL PEER-ID ADDRESS
const { createRequire } = require("node:module");
const [folder, url, peerId, address] = process.argv.slice(2);
const load = createRequire(`${folder}/`);
const { Codex } = load("@codex-storage/sdk-js");
const { NodeUploadStrategy } = load("@codex-storage/sdk-js/node");

const plain = ({ error, data }) =>
  error ? { error: true, code: data.code ?? null, message: data.message } : { error: false, data };
const body = async ({ error, data }) =>
  error
    ? plain({ error, data })
    : { error: false, data: await data.text(), name: data.headers.get("content-disposition") };

async function everyCall() {
  const { data, node, debug, marketplace } = new Codex(url, { auth: { basic: "dTpw" } });
  const put = (content, names) => data.upload(new NodeUploadStrategy(content, names)).result;
  const found = {};
  found.upload = plain(await put("from javascript", { filename: "a.txt", mimetype: "text/plain" }));
  const cid = found.upload.data;
  found.uploadBare = plain(await put("bare"));
  found.uploadBadType = plain(await put("x", { mimetype: "hello/world" }));
  found.uploadBadName = plain(await put("x", { filename: "a*b.txt" }));
  found.cids = plain(await data.cids());
  found.space = plain(await data.space());
  found.localDownload = await body(await data.localDownload(cid));
  found.networkDownload = plain(await data.networkDownload(cid));
  found.networkDownloadStream = await body(await data.networkDownloadStream(cid));
  found.fetchManifest = plain(await data.fetchManifest(cid));
  found.badCid = plain(await data.localDownload("notacid"));
  found.delete = plain(await data.delete(cid));
  found.gone = plain(await data.localDownload(cid));
  found.connect = plain(await node.connect(peerId, [address]));
  found.connectBad = plain(await node.connect("nobody", []));
  found.spr = plain(await node.spr());
  found.sprText = plain(await node.spr("text"));
  found.peerId = plain(await node.peerId());
  found.setLogLevel = plain(await debug.setLogLevel("DEBUG"));
  found.info = plain(await debug.info());
  const id = "0x" + "00".repeat(32);
  const offer = { totalSize: 1, duration: 1, minPricePerBytePerSecond: 1, totalCollateral: 1 };
  const order = {
    cid: found.uploadBare.data, duration: 2, expiry: 1, nodes: 3, tolerance: 1,
    pricePerBytePerSecond: 1, proofProbability: 1, collateralPerByte: 1,
  };
  found.market = {
    activeSlots: plain(await marketplace.activeSlots()),
    activeSlot: plain(await marketplace.activeSlot(id)),
    availabilities: plain(await marketplace.availabilities()),
    createAvailability: plain(await marketplace.createAvailability(offer)),
    updateAvailability: plain(await marketplace.updateAvailability({ id, totalSize: 1 })),
    reservations: plain(await marketplace.reservations(id)),
    purchaseIds: plain(await marketplace.purchaseIds()),
    purchases: plain(await marketplace.purchases()),
    purchaseDetail: plain(await marketplace.purchaseDetail(id)),
    createStorageRequest: plain(await marketplace.createStorageRequest(order)),
  };
  return found;
}

everyCall().then(
  (found) => console.log(JSON.stringify(found)),
  (error) => { console.error(error); process.exitCode = 1; },
);
