// Makes Allure's single page small: the program and the data stand in it as one gzip stream each.
//
// Allure writes both as base64, a run's attachments again and again where they are equal: 9.7 MB for a run that passed.
// Here equal files are stored once, and the reader's browser unpacks them (page/view.js) when it shows the tests.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";

const PROGRAM = /<script\s+src="data:text\/javascript;base64,([A-Za-z0-9+/=]+)"><\/script>/;
const FILE = /d\("((?:[^"\\]|\\.)*)","([A-Za-z0-9+/=]*)"\)/g;
const FILES = /<script async>\s*window\.allureReportDataReady = false;[\s\S]*?<script defer>[\s\S]*?<\/script>/;

function block(id, content) {
  const packed = gzipSync(content, { level: 9 }).toString("base64");
  return `<script type="application/octet-stream" id="${id}">${packed}</script>`;
}

// [{name: base64}] → bytes: the length of the index (4 bytes, little-endian), the index, the files.
// The index is JSON, {name: [offset, length]}. Files of one kind stand together, so that gzip finds what they share.
export function archive(files) {
  const places = new Map();
  const index = {};
  const parts = [];
  let offset = 0;
  const kind = ([name]) => `${name.split("/").slice(0, -1).join("/")} ${name.split(".").pop()}`;
  for (const [name, value] of [...files].sort((one, other) => kind(one).localeCompare(kind(other)))) {
    const content = Buffer.from(value, "base64");
    const key = createHash("sha256").update(content).digest("hex");
    if (!places.has(key)) {
      places.set(key, [offset, content.length]);
      parts.push(content);
      offset += content.length;
    }
    index[name] = places.get(key);
  }
  const head = Buffer.from(JSON.stringify(index), "utf8");
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, ...parts]);
}

// Raises when the page is not the one that this module knows: a page that cannot be unpacked would show nothing.
export function pack(page) {
  const program = PROGRAM.exec(page);
  const files = FILES.exec(page);
  if (program === null || files === null) {
    throw new Error("packing.mjs does not know this Allure's page: look at how it holds its program and data");
  }
  const found = [...files[0].matchAll(FILE)].map(([, name, value]) => [JSON.parse(`"${name}"`), value]);
  return page
    .replace(FILES, () => block("flatnet-files", archive(found)))
    .replace(PROGRAM, () => block("flatnet-program", Buffer.from(program[1], "base64")));
}
