// How Allure 3 turns allure-results/ into the run's index.html.
import { fileURLToPath } from "node:url";

export default {
  name: `Flatnet: ${process.env.FLATNET_VERDICT ?? "no verdict"}`,
  // What allure-pytest adds of its own accord and the reader has no use for.
  hideLabels: ["framework", "host", "language", "package", "parentSuite", "subSuite", "suite", "thread"],
  // Allure's two kinds of red, in the words of Flatnet's verdict.
  categories: [
    { name: "A requirement is violated", matchers: { statuses: ["failed"] } },
    { name: "The instrument stopped (no verdict about the network)", matchers: { statuses: ["broken"] } },
    { name: "Not applicable here", matchers: { statuses: ["skipped"] } },
  ],
  plugins: {
    flatnet: {
      import: fileURLToPath(new URL("./offline-plugin.mjs", import.meta.url)),
      options: {
        // One file with everything in it, so that it can be mailed and opened from disk.
        singleFile: true,
        // epic: the promise (a folder of suites/); feature: the requirement, "NET-1 <statement>".
        groupBy: ["epic", "feature"],
        reportLanguage: "en",
      },
    },
    // Allure adds this one by itself: notes for coding agents, which nobody here reads.
    agent: { enabled: false },
  },
};
