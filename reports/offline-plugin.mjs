// Allure's "awesome" report, made to stay on its reader's machine.
//
// The page that the stock plugin writes loads an analytics script from the
// network whenever someone opens it, and no option prevents that. A report about
// a private network is nobody else's business: the script is taken out, and a
// content security policy forbids the page to fetch anything by itself.
//
// Above the page stands what Flatnet decided (reports/writers/index_html.py writes it).
import { readFileSync } from "node:fs";

import AwesomePlugin from "@allurereport/plugin-awesome";

const ANALYTICS = /<script async src="https:[^"]*"><\/script>\s*<script>[^<]*gtag\([^<]*<\/script>/;
const CHARSET = '<meta charset="utf-8">';
const POLICY =
  '<meta http-equiv="Content-Security-Policy" content="default-src \'unsafe-inline\' \'unsafe-eval\' data: blob:">';

function takeOffline(page) {
  // A newer Allure may word its page differently: then no page at all is
  // better than one that calls home unnoticed.
  if (!ANALYTICS.test(page) || !page.includes(CHARSET)) {
    throw new Error("offline-plugin.mjs does not know this Allure's page: check what it loads, then adapt the plugin");
  }
  const banner = process.env.FLATNET_BANNER ? readFileSync(process.env.FLATNET_BANNER, "utf8") : "";
  if (!/<body[^>]*>/.test(page)) {
    throw new Error("offline-plugin.mjs does not know this Allure's page: it has no body to put the verdict into");
  }
  page = page.replace(/<body[^>]*>/, (body) => `${body}${banner}`);
  return page.replace(ANALYTICS, "").replace(CHARSET, `${CHARSET}\n    ${POLICY}`);
}

function offlineContext(context) {
  const addFile = (path, data) => {
    const content = path === "index.html" ? Buffer.from(takeOffline(data.toString("utf8")), "utf8") : data;
    return context.reportFiles.addFile(path, content);
  };
  return { ...context, reportFiles: { addFile } };
}

export default class OfflineAwesomePlugin {
  #awesome;

  constructor(options) {
    this.#awesome = new AwesomePlugin(options);
  }

  start(context, store) {
    return this.#awesome.start(offlineContext(context), store);
  }

  done(context, store) {
    return this.#awesome.done(offlineContext(context), store);
  }

  info(context, store) {
    return this.#awesome.info(context, store);
  }
}
