// Arrows of a rail: a page to the left or right, and off at its ends.

function startRail(rail) {
  const track = rail.querySelector(".rail__track");
  const arrows = [...rail.querySelectorAll("[data-rail-step]")];
  const refresh = () => {
    const end = track.scrollWidth - track.clientWidth - 4;
    for (const arrow of arrows) {
      arrow.disabled = Number(arrow.dataset.railStep) < 0 ? track.scrollLeft < 4 : track.scrollLeft > end;
    }
    rail.querySelector(".rail__arrows").hidden = end <= 0;
  };
  for (const arrow of arrows) {
    arrow.addEventListener("click", () => {
      track.scrollBy({ left: Number(arrow.dataset.railStep) * track.clientWidth * 0.8, behavior: "smooth" });
    });
  }
  track.addEventListener("scroll", refresh, { passive: true });
  new ResizeObserver(refresh).observe(track);
}

export function startRails() {
  for (const rail of document.querySelectorAll(".rail")) startRail(rail);
}
