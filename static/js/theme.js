/* The reader's theme, before the first paint; and the reader's time zone on every instant, named. */
(() => {
  const root = document.documentElement;
  const kept = localStorage.getItem("theme");
  if (kept) root.dataset.theme = kept;

  const label = (button) => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    button.textContent = dark ? "Light theme" : "Dark theme";
    return dark;
  };

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const localize = (part) => {
    for (const time of part.querySelectorAll("time[datetime]:not([title])")) {
      time.title = `${format.format(new Date(time.dateTime))} (${zone})`;
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (button) {
      label(button);
      button.addEventListener("click", () => {
        root.dataset.theme = label(button) ? "light" : "dark";
        localStorage.setItem("theme", root.dataset.theme);
        label(button);
      });
    }
    localize(document);
    document.body.addEventListener("htmx:afterSettle", (event) => localize(event.target));
    const failed = (event) => {
      for (const part of event.detail.target.querySelectorAll("[data-loading]")) part.hidden = true;
      for (const part of event.detail.target.querySelectorAll("[data-failed]")) part.hidden = false;
    };
    document.body.addEventListener("htmx:responseError", failed);
    document.body.addEventListener("htmx:sendError", failed);
    document.body.addEventListener("htmx:wsAfterMessage", () => localize(document));
    document.body.addEventListener("htmx:responseError", (event) => {
      const box = document.getElementById("failure");
      const status = event.detail.xhr.status;
      box.querySelector("p").textContent =
        status === 403 ? "Your role does not allow this. Ask an owner of the organization."
        : status === 404 ? "This is not there any more. Reload the page."
        : status === 429 ? "Too many requests. Wait a minute, then try again."
        : `The server answered ${status}. Try again; if it stays, look at the server's log for request ${event.detail.xhr.getResponseHeader("X-Request-Id")}.`;
      box.hidden = false;
    });
    document.body.addEventListener("htmx:sendError", () => {
      const box = document.getElementById("failure");
      box.querySelector("p").textContent = "The server does not answer. What is shown may be old; reload when it is back.";
      box.hidden = false;
    });
    document.body.addEventListener("htmx:afterOnLoad", () => { document.getElementById("failure").hidden = true; });
  });
})();
