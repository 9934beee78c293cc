/* Let every kind of video file in, and stay calm about those that can't be previewed.

   Gradio takes a file only when the browser calls it "video/...". Browsers go by the
   ending, and some do not know .MOV, .mkv or .ts; what a file really is, the server
   finds out by reading it. So a file with a video's ending gets a video's type here,
   before Gradio looks. */
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
}
