"use strict";
// Whatever came with a request is set as text or as a number, never as markup.

const POINTS = 300;        // of a metric; more than its chart has room for
const EVERY_MS = 1000;
const PATIENCE_MS = 5000;
const WIDTH = 300, HEIGHT = 80, MARGIN = 4;

const byId = (id) => document.getElementById(id);
const metrics = new Map();
const visible = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    target.metric.inView = isIntersecting;
    if (isIntersecting) draw(target.metric);
  }
});
let started = null, accepted = 0, now = 0, refusedSeen = "";

function element(name, className, parent, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

function shape(name, attributes, parent) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
}

function number(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e15)) return value.toExponential(3);
  return value.toLocaleString("en", { maximumFractionDigits: 3 });
}

const two = (value) => String(value).padStart(2, "0");

// The hour of the day where whoever looks is; the date only where it is another day.
function clock(seconds) {
  const at = new Date(seconds * 1000);
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  if (at.toDateString() === new Date(now).toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

