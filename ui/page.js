/* Four things that Gradio's page does not do by itself. Everything is delegated: what the
   server writes anew needs no listeners of its own.

   Let every kind of video file in, and stay calm about those that can't be previewed.
   Gradio takes a file only when the browser calls it "video/...". Browsers go by the
   ending, and some do not know .MOV, .mkv or .ts; what a file really is, the server
   finds out by reading it. So a file with a video's ending gets a video's type here,
   before Gradio looks.

   Take the players to a moment: [data-seek] holds seconds on the video's own clock, and
   the timeline says which of them the clip shows.

   Help to fill in forms: handles write times into fields, a box that is drawn on a
   picture is written into its sides, and the player tells where it is.

   Keys: Ctrl+Enter (or Cmd) runs, Escape stops, Shift with an arrow moves the players by
   a second. None is a single letter, which would get in the way of speech input. */
() => {
  const endings = [
    ".264", ".265", ".3g2", ".3gp", ".asf", ".avi", ".f4v", ".flv", ".gif", ".h264",
    ".h265", ".hevc", ".ivf", ".m2ts", ".m4v", ".mj2", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
  ];
  const isMisjudged = (file) =>
    !file.type.startsWith("video/") &&
    endings.some((ending) => file.name.toLowerCase().endsWith(ending));

  const asVideos = (files) => {
    const list = new DataTransfer();
    for (const file of files) {
      const judged = isMisjudged(file) ? { type: "video/mp4" } : { type: file.type };
      list.items.add(new File([file], file.name, judged));
    }
    return list.files;
  };

  const inputOf = (event) =>
    event.target instanceof Element &&
    event.target.closest("#sc-video")?.querySelector("input[type=file]");

  // Capturing on the window comes before every listener of Gradio's.
  const listen = (name, handle) => window.addEventListener(name, handle, true);

  listen("click", (event) => {
    const input = inputOf(event);
    if (input) input.accept = ["video/*", ...endings].join(",");
  });
  listen("change", (event) => {
    const input = inputOf(event);
    if (input === event.target && [...input.files].some(isMisjudged)) {
      input.files = asVideos(input.files);
    }
  });
  // What the browser can't play, the server can: no alarm about a missing preview.
  listen("error", (event) => {
    if (event.target instanceof Element && event.target.closest("#sc-video")) {
      event.stopPropagation();
    }
  });
  listen("drop", (event) => {
    const input = inputOf(event);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!input || !files.some(isMisjudged)) return;
    event.preventDefault();
    event.stopPropagation();
    input.files = asVideos(files.slice(0, 1));
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });

  const player = (id) => document.querySelector(`#${id} video`);
  const timeline = () => document.querySelector("#sc-timeline .sc-timeline");
  // The form may hold another video by now; an upload has a folder of its own.
  const askedVideo = () => {
    const video = player("sc-video");
    const folder = timeline()?.dataset.folder ?? "";
    return video?.currentSrc.includes(folder) ? video : null;
  };
  // What the clip shows: start and end on the video's clock, and where in the clip.
  const pieces = () => JSON.parse(timeline()?.dataset.pieces ?? "[]");

  const seek = (seconds, wanted) => {
    const video = askedVideo();
    const clip = player("sc-clip");
    const shows = ([start, end]) => seconds >= start && seconds <= end;
    const piece = [pieces()[wanted], ...pieces()].find((each) => each && shows(each));
    if (video) video.currentTime = seconds;
    if (clip && piece) clip.currentTime = piece[2] + seconds - piece[0];
    show(seconds);
    // Outside the clip only the video shows the moment; a phone may have scrolled past it.
    if (!clip || !piece) video?.scrollIntoView({ block: "nearest" });
  };

  const clock = (seconds) => {
    const whole = Math.floor(seconds);
    const parts = [whole / 3600, (whole / 60) % 60, whole % 60].map(Math.floor);
    const [hours, ...rest] = parts.map((part) => String(part).padStart(2, "0"));
    return `${Number(hours)}:${rest.join(":")}${(seconds - whole).toFixed(1).slice(1)}`;
  };
  const show = (seconds) => {
    const line = document.querySelector(".sc-scrub");
    if (!line) return;
    line.value = seconds;
    line.setAttribute("aria-valuetext", clock(seconds));
  };

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-seek]");
    if (button) seek(Number(button.dataset.seek), button.dataset.piece);
  });
  document.addEventListener("input", (event) => {
    if (event.target instanceof Element && event.target.matches(".sc-scrub")) {
      seek(Number(event.target.value));
    }
  });
  // Events of players do not bubble, but they can be caught on the way down.
  listen("timeupdate", (event) => {
    if (event.target === askedVideo() && !event.target.paused) {
      show(event.target.currentTime);
    } else if (event.target === player("sc-clip") && !event.target.paused) {
      const at = event.target.currentTime;
      const piece = pieces().findLast(([, , from]) => from <= at);
      if (piece) show(Math.min(piece[0] + at - piece[2], piece[1]));
    }
  });

  const fieldOf = (id) => document.querySelector(`#${id} input, #${id} textarea`);
  const write = (id, value) => {
    const field = fieldOf(id);
    if (!field) return;
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const longClock = (seconds) => {
    const thousandths = Math.round(seconds * 1000);
    const whole = Math.floor(thousandths / 1000);
    const [minutes, rest] = [Math.floor(whole / 60) % 60, whole % 60];
    const two = (part) => String(part).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    const dot = String(thousandths % 1000).padStart(3, "0");
    return `${hours}:${two(minutes)}:${two(rest)}.${dot}`;
  };
  document.addEventListener("input", (event) => {
    if (!(event.target instanceof Element) || !event.target.matches(".sc-handle")) return;
    const time = longClock(Number(event.target.value));
    event.target.setAttribute("aria-valuetext", time);
    write(event.target.dataset.writes, time);
    seek(Number(event.target.value));
  });

  // A question that is offered goes into the form.
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-ask]");
    if (!button) return;
    write("sc-question", button.dataset.ask);
    fieldOf("sc-question")?.focus();
  });

  // For the form's own buttons.
  window.stableChat = {
    playerTime: () => longClock(player("sc-video")?.currentTime ?? 0),
  };

  const sidesOf = (canvas) =>
    ["x1", "y1", "x2", "y2"].map((name) => `${canvas.dataset.writes}-${name}`);
  const showBox = (canvas, [x1, y1, x2, y2]) => {
    const { width, height } = canvas.dataset;
    const share = (value, of) => `${(100 * value) / of}%`;
    Object.assign(canvas.querySelector(".sc-rect").style, {
      display: "block",
      left: share(x1, width),
      top: share(y1, height),
      width: share(x2 - x1, width),
      height: share(y2 - y1, height),
    });
  };
  // Where on the video's picture a pointer is, in pixels, never outside.
  const placeOn = (canvas, event) => {
    const frame = canvas.getBoundingClientRect();
    const on = (share, size) => Math.min(Math.max(share, 0), 1) * Number(size);
    return [
      on((event.clientX - frame.left) / frame.width, canvas.dataset.width),
      on((event.clientY - frame.top) / frame.height, canvas.dataset.height),
    ];
  };
  let drawing = null;
  document.addEventListener("pointerdown", (event) => {
    const canvas = event.target instanceof Element && event.target.closest(".sc-canvas");
    if (!canvas || event.button !== 0) return;
    event.preventDefault();
    drawing = { canvas, from: placeOn(canvas, event) };
  });
  document.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    const [x, y] = placeOn(drawing.canvas, event);
    const [fromX, fromY] = drawing.from;
    drawing.box = [
      Math.min(x, fromX),
      Math.min(y, fromY),
      Math.max(x, fromX),
      Math.max(y, fromY),
    ];
    showBox(drawing.canvas, drawing.box);
  });
  const endDrawing = () => {
    const { canvas, box } = drawing ?? {};
    drawing = null;
    box?.forEach((value, side) => write(sidesOf(canvas)[side], value.toFixed(1)));
  };
  document.addEventListener("pointerup", endDrawing);
  document.addEventListener("pointercancel", endDrawing);
  document.addEventListener("input", (event) => {
    const ownIt = (canvas) => sidesOf(canvas).some((id) => event.target === fieldOf(id));
    const canvas = [...document.querySelectorAll(".sc-canvas")].find(ownIt);
    if (!canvas || drawing) return;
    const box = sidesOf(canvas).map((id) => parseFloat(fieldOf(id)?.value));
    if (box.every(Number.isFinite)) showBox(canvas, box);
  });

  // Labels are looked up when the page is loaded, so another language loads it again.
  const draft = "stablechat-draft";
  document.addEventListener("click", (event) => {
    const button =
      event.target instanceof Element && event.target.closest("[data-language]");
    if (!button) return;
    // Until the page is loaded, English looks chosen whatever the labels are in.
    const labels = navigator.language.startsWith("zh") ? "zh" : "en";
    const pressed = button.getAttribute("aria-pressed") === "true";
    if (pressed && labels === button.dataset.language) return;
    const running = document.querySelector("#sc-stop")?.disabled === false;
    if (running && !window.confirm(button.parentElement.dataset.warning)) return;
    const year = 365 * 24 * 3600;
    const { language } = button.dataset;
    document.cookie = `stablechat-language=${language}; path=/; max-age=${year}; samesite=lax`;
    try {
      sessionStorage.setItem(draft, fieldOf("sc-question")?.value ?? "");
    } catch { /* It has to be typed again. */ }
    location.reload();
  });
  // What was typed and not asked yet; called once the answers are back.
  window.stableChat.restoreDraft = () => {
    try {
      const typed = sessionStorage.getItem(draft);
      sessionStorage.removeItem(draft);
      if (typed) write("sc-question", typed);
    } catch { /* Storage is forbidden. */ }
  };

  const press = (id) => {
    const button = document.querySelector(`#${id}`);
    if (!button || button.disabled) return false;
    button.click();
    return true;
  };
  const step = (seconds) => {
    const line = document.querySelector(".sc-scrub");
    if (!line) return false;
    const place = Number(line.value) + seconds;
    seek(Math.min(Math.max(place, 0), Number(line.max)));
    return true;
  };
  // Fields need their arrows; those of an answer's forms are not for the next question.
  const fields = "input, textarea, select, [contenteditable=true]";
  // What Escape closes by itself: an open list, a colour picker, a dialog, full screen.
  const isOpen = (target) =>
    document.fullscreenElement ||
    document.querySelector("dialog[open], [role=dialog], ul.options") ||
    (target instanceof Element && target.closest("[aria-expanded=true][role]"));
  const onKey = (event) => {
    const field = event.target instanceof Element && event.target.closest(fields);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      return !(field && field.closest(".sc-answer")) && press("sc-run");
    }
    if (event.key === "Escape") return !isOpen(event.target) && press("sc-stop");
    if (!event.shiftKey || event.ctrlKey || event.altKey || event.metaKey || field) {
      return false;
    }
    if (event.key === "ArrowLeft") return step(-1);
    return event.key === "ArrowRight" && step(1);
  };
  listen("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || !onKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
}
