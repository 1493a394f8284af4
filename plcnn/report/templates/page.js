"use strict";
// Says a figure's numbers where the pointer, a finger or the arrow keys are.
for (const figure of document.querySelectorAll(".drawn")) {
  const stops = JSON.parse(figure.querySelector(".stops").textContent);
  const canvas = figure.querySelector(".canvas");
  if (!stops.length) continue;
  const mark = document.createElement("div");
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  mark.hidden = tip.hidden = true;
  canvas.append(mark, tip);
  let current = -1;

  function show(index) {
    current = index;
    const [x, y, text] = stops[index];
    const upright = y < 0;
    mark.className = upright ? "mark line" : "mark dot";
    mark.style.left = `${100 * x}%`;
    mark.style.top = upright ? "" : `${100 * y}%`;
    tip.textContent = text;
    mark.hidden = tip.hidden = false;
    const room = canvas.getBoundingClientRect();
    const left = x * room.width + 12;
    const top = (upright ? 0.12 : y) * room.height + 12;
    tip.style.left = `${Math.max(0, left + tip.offsetWidth > room.width ? left - 24 - tip.offsetWidth : left)}px`;
    tip.style.top = `${Math.max(0, top + tip.offsetHeight > room.height ? top - 24 - tip.offsetHeight : top)}px`;
  }

  function hide() {
    mark.hidden = tip.hidden = true;
  }

  function nearest(event) {
    const room = canvas.getBoundingClientRect();
    let best = 0;
    let least = Infinity;
    stops.forEach(([x, y], index) => {
      const across = x * room.width + room.left - event.clientX;
      const down = y < 0 ? 0 : y * room.height + room.top - event.clientY;
      const distance = across * across + down * down;
      if (distance < least) [best, least] = [index, distance];
    });
    show(best);
  }

  canvas.addEventListener("pointermove", nearest);
  canvas.addEventListener("pointerdown", nearest);
  canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  figure.addEventListener("blur", hide);
  figure.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    show(Math.min(Math.max(current + step, 0), stops.length - 1));
  });
}
