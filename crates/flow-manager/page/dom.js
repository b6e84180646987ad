// Elements, and how figures and times are written. Whatever came from outside is set as text, never as markup.

export const byId = (id) => document.getElementById(id);

export function element(name, className, parent, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

// Only what changed: a screen reader would read it again, and a selection would be lost.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

const two = (value) => String(value).padStart(2, "0");

// The hour of the day where whoever looks is, and the date if it is another day.
export function clock(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return "";
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(unit && value < 100 ? 1 : 0)} ${units[unit]}`;
}

export function duration(seconds) {
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

// A feed keeps its newest lines on top, and so many of them.
export class Feed {
  #list;
  #most;

  constructor(list, most, none) {
    this.#list = list;
    this.#most = most;
    this.none = none;
  }

  add(timestamp, text, { bad = false, code } = {}) {
    const line = element("li", bad ? "bad" : "");
    element("time", "", line, clock(timestamp)).dateTime = timestamp;
    element("span", "", line, text);
    if (code !== undefined) {
      line.append(" ");
      element("code", "", line, code);
    }
    this.#list.prepend(line);
    while (this.#list.childElementCount > this.#most) this.#list.lastElementChild.remove();
    this.#list.hidden = false;
    if (this.none) this.none.hidden = true;
  }

  clear() {
    this.#list.replaceChildren();
    this.#list.hidden = true;
    if (this.none) this.none.hidden = false;
  }
}
