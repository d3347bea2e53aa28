// The player: the browser chooses between HLS and MP4 by itself; where the first breaks off, this tries the next.

function startPlayer(video) {
  const sources = [...video.querySelectorAll("source")];
  const note = document.querySelector("[data-player-error]");
  const next = () => {
    const failed = sources.findIndex((source) => source.src === video.currentSrc);
    const fallback = sources[failed + 1];
    if (fallback && video.currentSrc !== fallback.src) {
      const at = video.currentTime;
      video.src = fallback.src;
      video.currentTime = at;
      video.play().catch(() => {});
    } else if (note) {
      note.hidden = false;
    }
  };
  video.addEventListener("error", next);
  sources.at(-1)?.addEventListener("error", () => video.readyState === 0 && note && (note.hidden = false));
}

export function startPlayers() {
  for (const video of document.querySelectorAll("video[data-player]")) startPlayer(video);
  document.addEventListener("click", (event) => {
    const play = event.target.closest("[data-play]");
    const video = document.querySelector("video[data-player]");
    if (!play || !video) return;
    event.preventDefault();
    video.scrollIntoView({ block: "center" });
    video.focus({ preventScroll: true });
    video.play().catch(() => {});
  });
}
