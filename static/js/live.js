/* What lives on a page: rows that come by the socket, words about what happened, and what to do while there is none. */
(() => {
  const POLL_EVERY = 5000; // ms, while there is no socket
  const PATIENCE = 3000; // ms without a socket before the page says so
  const TOAST_STAYS = 12000; // ms
  const NO_LONGER_ALLOWED = 4403; // accounts/live/socket.py
  const body = document.body;
  if (!body.hasAttribute("ws-connect")) return;
  const sign = document.getElementById("not-live");
  let isOpen = false;
  let isOver = false;

  const say = (text) => {
    sign.textContent = text;
    sign.hidden = !text;
  };
  const notice = () => {
    if (!isOpen && !isOver) say("Not live: asks again every 5 s");
  };
  setTimeout(notice, PATIENCE);
  setInterval(() => {
    if (isOpen || isOver || document.hidden) return;
    for (const part of document.querySelectorAll("[data-live]")) {
      if (!part.querySelector("[name=paused]:checked")) htmx.trigger(part, "livepoll");
    }
  }, POLL_EVERY);

  body.addEventListener("htmx:wsOpen", () => {
    isOpen = true;
    body.dataset.socket = "open";
    say("");
  });
  body.addEventListener("htmx:wsClose", (event) => {
    isOpen = false;
    delete body.dataset.socket;
    isOver = event.detail.event.code === NO_LONGER_ALLOWED;
    if (isOver) say("You are signed out, or your role has changed: load the page again");
    else setTimeout(notice, PATIENCE);
  });

  /* A row that is there already is replaced where it stands: a list is read and followed at once, and jobs end. */
  body.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    if (target.tagName !== "TBODY") return;
    for (const row of [...fragment.children]) {
      const there = row.id && document.getElementById(row.id);
      if (there) there.replaceWith(row);
    }
  });
  body.addEventListener("htmx:wsAfterMessage", () => {
    for (const rows of document.querySelectorAll("tbody[data-most]")) {
      while (rows.rows.length > Number(rows.dataset.most)) rows.deleteRow(-1);
    }
    for (const toast of document.querySelectorAll("#toasts > :not([data-seen])")) {
      toast.dataset.seen = "";
      setTimeout(() => leave(toast), TOAST_STAYS);
    }
  });
  const leave = (toast) => {
    if (toast.matches(":hover, :focus-within")) setTimeout(() => leave(toast), TOAST_STAYS);
    else toast.remove();
  };
  body.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-dismiss]");
    if (pressed) pressed.closest(".toast").remove();
  });
})();
