// Shows the overview or Allure's tests, and unpacks the latter (reports/packing.mjs) before they are first shown.
(() => {
  const body = document.body;
  const note = document.getElementById("flatnet-note");
  let begun = false;

  async function unpack(id) {
    const text = atob(document.getElementById(id).textContent);
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  }

  function base64(bytes) {
    let text = "";
    for (let start = 0; start < bytes.length; start += 0x8000) {
      text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
    }
    return btoa(text);
  }

  async function begin() {
    if (begun) return;
    begun = true;
    if (typeof DecompressionStream === "undefined") {
      note.textContent = "This browser is too old to show the tests (Chrome 80, Firefox 113, Safari 16.4 can).";
      return;
    }
    const [program, files] = await Promise.all([unpack("flatnet-program"), unpack("flatnet-files")]);
    const length = new DataView(files).getUint32(0, true);
    const index = JSON.parse(new TextDecoder().decode(new Uint8Array(files, 4, length)));
    const data = {};
    for (const [name, [offset, size]] of Object.entries(index)) {
      const content = () => base64(new Uint8Array(files, 4 + length + offset, size));
      Object.defineProperty(data, name, { get: content, enumerable: true });
    }
    window.allureReportData = data;
    window.allureReportDataReady = true;
    const script = document.createElement("script");
    script.textContent = new TextDecoder().decode(program);
    body.append(script);
    note.remove();
  }

  function show(view) {
    body.dataset.view = view;
    if (view === "tests") begin();
    else window.scrollTo(0, 0);
  }

  function go(view) {
    // Allure shows the test that the fragment names, and all tests without one.
    if (view === "tests" && location.hash.length > 1) location.hash = "";
    else history.pushState({ flatnet: view }, "");
    show(view);
  }

  function showRequirement(name) {
    const found = document.getElementById(name);
    for (let above = found; above; above = above.parentElement) {
      if (above.tagName === "DETAILS") above.open = true;
    }
    found?.scrollIntoView();
  }

  document.querySelectorAll("[data-flatnet-requirement]").forEach((link) => {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      showRequirement(link.dataset.flatnetRequirement);
    });
  });
  document.querySelectorAll("[data-flatnet-go]").forEach((button) => {
    button.addEventListener("click", () => go(button.dataset.flatnetGo));
  });
  window.addEventListener("popstate", (event) => show(event.state?.flatnet ?? "tests"));
  const asked = location.hash.slice(1);
  if (asked && document.getElementById(asked)) {
    // A requirement or a cause of this page; Allure would look for a test of that name.
    history.replaceState({ flatnet: "overview" }, "", location.href.replace(/#.*/, ""));
    show("overview");
    showRequirement(asked);
  } else {
    const first = history.state?.flatnet ?? (asked ? "tests" : "overview");
    history.replaceState({ flatnet: first }, "");
    show(first);
  }
  // The tests are unpacked while the overview is read.
  const idle = window.requestIdleCallback ?? ((call) => setTimeout(call, 200));
  window.addEventListener("load", () => idle(begin));
})();
