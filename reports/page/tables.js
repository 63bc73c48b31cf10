// Shows Flatnet's HTML attachments in the page itself: as high as they are, with tables that sort and filter.
//
// Allure shows an HTML attachment in a frame that may run no script, and whose height it cannot read when the report is
// opened from disk. Here the frame is replaced by its content, in a shadow tree, so that neither style reaches the other.
(() => {
  const SIGNS = { ascending: " ▲", descending: " ▼" };

  function value(row, column) {
    const text = row.cells[column]?.textContent ?? "";
    return { text, number: Number.parseFloat(text.replaceAll(",", "")) };
  }

  function compare(one, other, numeric) {
    if (numeric) return (Number.isNaN(one.number) ? Infinity : one.number) - (Number.isNaN(other.number) ? Infinity : other.number) || 0;
    return one.text.localeCompare(other.text, "en", { numeric: true });
  }

  function sort(table, column) {
    const heads = [...table.tHead.rows[0].cells];
    const direction = heads[column].getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const numeric = rows[0]?.cells[column]?.classList.contains("n");
    const turn = direction === "ascending" ? 1 : -1;
    rows.sort((one, other) => turn * compare(value(one, column), value(other, column), numeric));
    body.append(...rows);
    heads.forEach((head, place) => {
      const button = head.querySelector("button");
      head.setAttribute("aria-sort", place === column ? direction : "none");
      button.querySelector("span").textContent = place === column ? SIGNS[direction] : "";
    });
  }

  function filter(table, words) {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
    }
  }

  function enliven(table) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.textContent = head.textContent;
      button.append(document.createElement("span"));
      button.title = "sort by this";
      button.addEventListener("click", () => sort(table, column));
      head.replaceChildren(button);
    });
    if (table.tBodies[0].rows.length < 6) return;
    const field = document.createElement("input");
    field.type = "search";
    field.placeholder = "only rows with …";
    field.setAttribute("aria-label", "only rows with these words");
    field.addEventListener("input", () => filter(table, field.value));
    table.before(field);
  }

  const STYLE = `:host { display: block; overflow: auto; max-height: 80vh; background: #fff; color: #1c1e21; }
    .body { padding: 10px; font: 14px/1.4 system-ui, sans-serif; width: max-content; min-width: 100%; box-sizing: border-box; }
    thead th { position: sticky; top: 0; background: #fff; }
    th button { all: unset; cursor: pointer; color: #0b57a4; white-space: nowrap; }
    th button:focus-visible, input:focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
    input { font: inherit; padding: 3px 8px; margin: 0 0 8px; border: 1px solid #8a9099; border-radius: 5px; }`;

  async function replace(frame) {
    const page = new DOMParser().parseFromString(await (await fetch(frame.src)).text(), "text/html");
    const host = document.createElement("div");
    host.className = "flatnet-attachment";
    const root = host.attachShadow({ mode: "open" });
    const body = document.createElement("div");
    body.className = "body";
    body.append(...page.body.childNodes);
    const own = document.createElement("style");
    own.textContent = STYLE;
    root.append(...page.querySelectorAll("style"), own, body);
    body.querySelectorAll("table").forEach((table) => table.tHead && enliven(table));
    frame.style.display = "none";
    frame.after(host);
  }

  new MutationObserver(() => {
    for (const frame of document.querySelectorAll('iframe[title="HTML attachment"]:not([data-flatnet])')) {
      if (frame.src.startsWith("blob:")) {
        frame.dataset.flatnet = "";
        replace(frame);
      }
    }
  }).observe(document.body, { childList: true, subtree: true });
})();
