// From what is typed to what `create_container` takes. What cannot be read is told by its line.

// Words, with quotes as in a shell and nothing else of it.
export function words(text) {
  const found = text.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  if (found.join("").length !== text.replace(/\s+(?=(?:[^"']|"[^"]*"|'[^']*')*$)/g, "").length) {
    throw new Error("Command: a quote is not closed");
  }
  return found.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, (_, double, single) => double ?? single));
}

// `left<separator>right` a line; split at the first or the last separator.
function pairs(title, text, separator, last = false) {
  const found = [];
  for (const line of text.split("\n").filter((one) => one.trim())) {
    const at = last ? line.lastIndexOf(separator) : line.indexOf(separator);
    if (at < 1) throw new Error(`${title}: “${line.trim()}” has no “${separator}”`);
    found.push([line.slice(0, at).trim(), line.slice(at + 1)]);
  }
  return found;
}

function port(text) {
  const number = Number(text);
  if (!/^\s*\d{1,5}\s*$/.test(text) || number > 65535) throw new Error(`Ports: “${text}” is no port of the host`);
  return number;
}

export function request(fields) {
  const value = (name) => fields[name].value.trim();
  const wish = { image: value("image") };
  if (value("name")) wish.name = value("name");
  if (value("command")) wish.command = words(value("command"));
  if (value("working_dir")) wish.working_dir = value("working_dir");
  const environment = pairs("Environment", fields.environment.value, "=");
  if (environment.length) wish.environment = Object.fromEntries(environment);
  const ports = pairs("Ports", fields.ports.value, ":");
  if (ports.length) wish.ports = Object.fromEntries(ports.map(([host, inside]) => [inside.trim(), port(host)]));
  const volumes = pairs("Volumes", fields.volumes.value, ":", true);
  if (volumes.length) wish.volumes = Object.fromEntries(volumes.map(([host, inside]) => [host, inside.trim()]));
  return wish;
}
