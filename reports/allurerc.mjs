// How Allure 3 turns allure-results/ into the run's index.html.
//
// FLATNET_REPORT names a folder that reports/writers/index_html.py fills: run.json (what the verdict says),
// overview.html and script.html (what stands around Allure's page).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const run = JSON.parse(readFileSync(join(process.env.FLATNET_REPORT, "run.json"), "utf8"));

// Whether each requirement that a test proves has failed as a known issue.
const isKnown = ({ status, labels }) => {
  const requirements = labels.filter(({ name }) => name === "requirement").map(({ value }) => value);
  return status === "failed" && requirements.length > 0 && requirements.every((id) => run.known.includes(id));
};

export default {
  name: `Flatnet: ${run.verdict}`,
  // What allure-pytest adds of its own accord and the reader has no use for.
  hideLabels: [
    "framework", "host", "language", "nodeid", "package", "parentSuite", "requirement", "story", "subSuite", "suite",
    "thread",
  ],
  // Allure's two kinds of red, in the words of Flatnet's verdict. The first that fits a test counts.
  categories: [
    { name: "Known issue", matchers: isKnown },
    { name: "A requirement is violated", matchers: { statuses: ["failed"] }, groupByMessage: false },
    { name: "Not proved", matchers: { statuses: ["broken"], message: /NotProved/ }, groupByMessage: false },
    { name: "Could not measure (the instrument failed)", matchers: { statuses: ["broken"] }, groupByMessage: false },
    { name: "Not applicable here", matchers: { statuses: ["skipped"] }, groupByMessage: false },
  ],
  // Earlier runs, and this one for the next (--history).
  ...(run.history ? { historyPath: run.history, appendHistory: true } : {}),
  plugins: {
    flatnet: {
      import: fileURLToPath(new URL("./offline-plugin.mjs", import.meta.url)),
      options: {
        // One file with everything in it, so that it can be mailed and opened from disk.
        singleFile: true,
        // epic: the promise (a folder of suites/); feature: the requirement, "NET-1 <statement>".
        groupBy: ["epic", "feature"],
        reportLanguage: "en",
        stepTreeExpansion: "expanded",
        gate: run.gate,
      },
    },
    // Allure adds this one by itself: notes for coding agents, which nobody here reads.
    agent: { enabled: false },
  },
};
