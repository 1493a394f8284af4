"use strict";

const find = (id) => document.getElementById(id);
const TOP = 5;
const AT_ONCE = 6;
const shown = []; // {file, card, answer}: what was asked, where it stands, what was said
const waiting = [];
let asking = 0;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function add(files) {
  for (const file of files) {
    const card = element("article");
    const picture = element("div", undefined, "picture");
    const image = element("img");
    image.alt = file.name || "the picture";
    image.src = URL.createObjectURL(file);
    image.addEventListener("load", () => image.classList.toggle("small", image.naturalHeight < 128));
    image.addEventListener("error", () => picture.remove());
    picture.append(image);
    card.append(picture, element("p", "…", "name"));
    find("answers").prepend(card);
    const item = { file, card, picture, answer: null };
    shown.push(item);
    waiting.push(item);
  }
  find("clear").hidden = shown.length === 0;
  next();
}

function next() {
  while (asking < AT_ONCE && waiting.length > 0) {
    asking += 1;
    const item = waiting.shift();
    ask(item).catch((error) => fail(item, error.message)).finally(() => { asking -= 1; next(); });
  }
}

async function ask(item, attempt = 0) {
  const form = new FormData();
  form.append("files", item.file, item.file.name || "picture");
  const withSaliency = find("saliency").checked;
  let response;
  try {
    response = await fetch(`/predict?top_k=${TOP}&saliency=${withSaliency}`, { method: "POST", body: form });
  } catch {
    throw new Error("The server cannot be reached, or ended the connection. Is it still running?");
  }
  if (response.status === 503 && attempt < 5) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("Retry-After") || 1)));
    return ask(item, attempt + 1);
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(typeof content.detail === "string" ? content.detail : `Error ${response.status}.`);
  item.answer = content.predictions[0];
  draw(item);
}

function fail(item, words) {
  item.card.querySelectorAll(":scope > :not(.picture)").forEach((old) => old.remove());
  item.card.append(element("p", item.file.name, "name"), element("p", words, "fault"));
}

function draw(item) {
  const { card, picture, answer } = item;
  card.querySelectorAll(":scope > :not(.picture), .heat").forEach((old) => old.remove());
  if (answer.saliency && find("saliency").checked) {
    const heat = element("img", undefined, "heat small");
    heat.src = answer.saliency;
    heat.alt = "what the network looked at";
    picture.append(heat);
  }
  const sure = answer.probability >= Number(find("threshold").value) / 100;
  card.append(element("h2", sure ? answer.label : "unsure"));
  if (item.file.name) card.append(element("p", item.file.name, "name"));
  const list = element("dl");
  for (const { label, probability } of answer.top) {
    const bar = element("progress");
    bar.max = 1;
    bar.value = probability;
    bar.setAttribute("aria-label", `${label}: ${percent(probability)}`);
    const cell = element("dd");
    cell.append(bar);
    list.append(element("dt", label), cell, element("dd", percent(probability), "number"));
  }
  card.append(list);
}

for (const id of ["files", "camera"]) {
  find(id).addEventListener("change", (event) => { add(event.target.files); event.target.value = ""; });
}
const drop = find("drop");
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") add(event.dataTransfer.files);
  });
}
document.addEventListener("paste", (event) => add(event.clipboardData.files));
find("threshold").addEventListener("input", (event) => {
  find("share").textContent = `${event.target.value} %`;
  shown.filter((item) => item.answer).forEach(draw);
});
find("saliency").addEventListener("change", (event) => {
  for (const item of shown.filter((one) => one.answer)) {
    if (event.target.checked && !item.answer.saliency) waiting.push(item);
    else draw(item);
  }
  next();
});
find("clear").addEventListener("click", () => {
  shown.splice(0).forEach(({ card }) => card.remove());
  waiting.length = 0;
  find("clear").hidden = true;
});

fetch("/health").then((response) => response.json()).then(({ architecture, classes, image_shape: shape }) => {
  const most = 20;
  const named = classes.slice(0, most).join(", ") + (classes.length > most ? ", …" : "");
  find("about").textContent = `${architecture} knows ${classes.length} classes: ${named}. It sees ${shape[2]} × ${shape[1]} pixels.`;
}).catch(() => { find("about").textContent = "The server cannot be reached."; });
