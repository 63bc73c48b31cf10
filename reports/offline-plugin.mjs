// Allure's "awesome" report, made to stay on its reader's machine, and small.
//
// The page that the stock plugin writes loads an analytics script from the
// network whenever someone opens it, and no option prevents that. A report about
// a private network is nobody else's business: the script is taken out, and a
// content security policy forbids the page to fetch anything by itself.
//
// Above the page stands what Flatnet decided (reports/page/overview.py), and Allure's quality gate says the same.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import AwesomePlugin from "@allurereport/plugin-awesome";

import { pack } from "./packing.mjs";

const ANALYTICS = /<script async src="https:[^"]*"><\/script>\s*<script>[^<]*gtag\([^<]*<\/script>/;
const CHARSET = '<meta charset="utf-8">';
const HEAD = `${CHARSET}
    <meta http-equiv="Content-Security-Policy" content="default-src 'unsafe-inline' 'unsafe-eval' data: blob:">
    <meta name="viewport" content="width=device-width, initial-scale=1">`;

const read = (name) => readFileSync(join(process.env.FLATNET_REPORT, name), "utf8");

function takeOffline(page) {
  // A newer Allure may word its page differently: then no page at all is
  // better than one that calls home unnoticed.
  if (!ANALYTICS.test(page) || !page.includes(CHARSET)) {
    throw new Error("offline-plugin.mjs does not know this Allure's page: check what it loads, then adapt the plugin");
  }
  if (!/<body[^>]*>/.test(page) || !page.includes("</body>")) {
    throw new Error("offline-plugin.mjs does not know this Allure's page: it has no body to put the verdict into");
  }
  return pack(page.replace(ANALYTICS, ""))
    .replace(CHARSET, () => HEAD)
    .replace(/<body[^>]*>/, () => `<body data-view="overview">${read("overview.html")}`)
    .replace("</body>", () => `${read("script.html")}</body>`);
}

function offlineContext(context) {
  const addFile = (path, data) => {
    const content = path === "index.html" ? Buffer.from(takeOffline(data.toString("utf8")), "utf8") : data;
    return context.reportFiles.addFile(path, content);
  };
  return { ...context, reportFiles: { addFile } };
}

const SLOW_MS = 500;
const WRONG = ["failed", "broken"]; // what ends well at the end of a test has no status at all

// The store of Allure's results, with Flatnet's verdict in the place of a quality gate's results, and only those
// fixtures that somebody may ask about: they failed, or took long. A test has eight others.
function judgedStore(store, gate) {
  const judged = {
    qualityGateResultsByEnvironmentId: async () => (gate?.length ? { default: gate } : {}),
    relatedByTestResultIds: async (ids) => {
      const related = await store.relatedByTestResultIds(ids);
      for (const [id, fixtures] of related.fixturesByTrId) {
        const told = fixtures.filter(({ status, duration }) => WRONG.includes(status) || duration >= SLOW_MS);
        related.fixturesByTrId.set(id, told);
      }
      return related;
    },
  };
  return new Proxy(store, {
    get(target, name) {
      if (name in judged) return judged[name];
      const value = target[name];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

export default class OfflineAwesomePlugin {
  #awesome;
  #gate;

  constructor({ gate, ...options }) {
    this.#awesome = new AwesomePlugin(options);
    this.#gate = gate;
  }

  start(context, store) {
    return this.#awesome.start(offlineContext(context), store);
  }

  done(context, store) {
    return this.#awesome.done(offlineContext(context), judgedStore(store, this.#gate));
  }

  info(context, store) {
    return this.#awesome.info(context, store);
  }
}
