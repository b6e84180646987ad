//! What goes to the standard output: tables, JSON, colours where they are wanted.

use std::io::{self, BufWriter, Stdout, Write};

use serde_json::Value;

const BUFFER: usize = 64 * 1024;
const GAP: usize = 3;

/// The standard output, buffered: whoever waits flushes first.
pub(crate) struct Printer {
    out: BufWriter<Stdout>,
    terminal: bool,
    colors: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum Color {
    Green,
    Red,
    Yellow,
    Bold,
}

impl Printer {
    pub(crate) fn new(terminal: bool, no_color: bool) -> Self {
        Self {
            out: BufWriter::with_capacity(BUFFER, io::stdout()),
            terminal,
            colors: terminal && !no_color,
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        let text = if self.terminal {
            clean(text)
        } else {
            text.to_owned()
        };
        writeln!(self.out, "{text}")
    }

    pub(crate) fn json(&mut self, value: &Value) -> io::Result<()> {
        writeln!(self.out, "{value}")
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// A table with a head; the cells of a column have the colour that is picked by their text.
    pub(crate) fn table(
        &mut self,
        head: &[&str],
        rows: &[Vec<String>],
        color: impl Fn(usize, &str) -> Option<Color>,
    ) -> io::Result<()> {
        let length = |text: &str| text.chars().count();
        let widths: Vec<_> = (0..head.len())
            .map(|column| {
                let cells = rows.iter().map(|row| length(&row[column]));
                cells.max().unwrap_or(0).max(length(head[column]))
            })
            .collect();
        let head: Vec<_> = head.iter().map(|&cell| cell.to_owned()).collect();
        let rows = std::iter::once((true, &head)).chain(rows.iter().map(|row| (false, row)));
        for (is_head, row) in rows {
            for (column, cell) in row.iter().enumerate() {
                let wanted = if is_head {
                    Some(Color::Bold)
                } else {
                    color(column, cell)
                };
                let text = self.painted(&clean(cell), wanted);
                self.out.write_all(text.as_bytes())?;
                if column + 1 < row.len() {
                    let padding = widths[column] + GAP - length(cell);
                    write!(self.out, "{:padding$}", "")?;
                }
            }
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn painted(&self, text: &str, color: Option<Color>) -> String {
        let code = match color.filter(|_| self.colors) {
            None => return text.to_owned(),
            Some(Color::Green) => 32,
            Some(Color::Red) => 31,
            Some(Color::Yellow) => 33,
            Some(Color::Bold) => 1,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// The text without what a terminal would obey.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Bytes as the `docker` command shows those of memory: `1.5MiB`.
pub(crate) fn binary(bytes: u64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// Bytes as it shows those of input and output: `1.5MB`.
pub(crate) fn decimal(bytes: u64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB"])
}

#[allow(clippy::cast_precision_loss)] // Four digits are shown.
fn scaled(bytes: u64, step: f64, units: &[&str]) -> String {
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= step && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let digits = match value {
        _ if unit == 0 => 0,
        value if value < 10.0 => 3,
        value if value < 100.0 => 2,
        value if value < 1000.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let text = if digits > 0 {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_docker_command() {
        let cases = [
            (0, "0B", "0B"),
            (999, "999B", "999B"),
            (1000, "1000B", "1kB"),
            (389_120, "380KiB", "389.1kB"),
            (1_572_864, "1.5MiB", "1.573MB"),
            (25_276_502_016, "23.54GiB", "25.28GB"),
        ];
        for (bytes, of_memory, of_traffic) in cases {
            assert_eq!((&*binary(bytes), &*decimal(bytes)), (of_memory, of_traffic));
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        assert_eq!(clean("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
    }
}
