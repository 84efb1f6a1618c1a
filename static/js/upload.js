/* Send a model with progress: files may be dropped, are looked at before they travel, and fill in what they say. */
(() => {
  const form = document.getElementById("upload");
  const drop = document.getElementById("drop");
  const bar = document.getElementById("sending");
  const box = document.getElementById("refused");
  const field = (name) => form.elements.namedItem(name);

  const refuse = (words) => {
    box.querySelector("p").textContent = words;
    box.hidden = !words;
  };

  /* Only LightGBM's text is taken; what else it is, the server says better. */
  const lookAt = async (file) => {
    if (file.size > Number(form.dataset.limit)) return `${file.name} is larger than is taken.`;
    const begins = await file.slice(0, 5).text();
    return begins === "tree\n" ? "" : `${file.name} does not begin as LightGBM's text does: it would be refused.`;
  };

  const fillIn = async (file) => {
    let said;
    try {
      said = JSON.parse(await file.text());
    } catch {
      return `${file.name} is no JSON.`;
    }
    for (const [name, key] of [["model_name", "name"], ["model_version", "version"], ["trained_until_date", "trained_until"]]) {
      if (said && said[key] && !field(name).value) field(name).value = said[key];
    }
    return "";
  };

  const chosen = async () => {
    const [model, card] = [field("file").files[0], field("metadata").files[0]];
    refuse((model && (await lookAt(model))) || (card && (await fillIn(card))) || "");
  };
  field("file").addEventListener("change", chosen);
  field("metadata").addEventListener("change", chosen);

  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("drop-over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("drop-over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("drop-over");
    for (const file of event.dataTransfer.files) {
      const one = new DataTransfer();
      one.items.add(file);
      field(file.name.endsWith(".json") ? "metadata" : "file").files = one.files;
    }
    chosen();
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    refuse("");
    const button = form.querySelector("button[type=submit]");
    const sent = document.getElementById("sent");
    const request = new XMLHttpRequest();
    const body = new FormData(form);
    body.delete("csrfmiddlewaretoken");
    const over = (words) => { button.disabled = false; bar.hidden = true; refuse(words); };
    request.upload.addEventListener("progress", (step) => { if (step.lengthComputable) sent.value = (100 * step.loaded) / step.total; });
    request.addEventListener("load", () => {
      let said = {};
      try { said = JSON.parse(request.responseText); } catch { /* what is no JSON is told by its status */ }
      if (request.status === 201) {
        location.assign(`${form.dataset.page}${said.model_id}/`);
        return;
      }
      const faults = (said.errors || []).map((fault) => `${fault.pointer.slice(2)}: ${fault.detail}`);
      over(said.state || faults.length < 2 ? (said.detail || `The server answered ${request.status}.`) + (faults.length && !said.detail.includes("taken") ? ` ${faults.join(" ")}` : "") : faults.join(" "));
    });
    request.addEventListener("error", () => over("The server does not answer. Nothing was kept; try again."));
    request.open("POST", form.dataset.to);
    request.setRequestHeader("X-CSRFToken", field("csrfmiddlewaretoken").value);
    button.disabled = true;
    bar.hidden = false;
    request.send(body);
  });
})();
