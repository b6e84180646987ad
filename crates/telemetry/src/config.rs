//! What is logged, and how.

use settings::{Reader, Setting, ValueError};

/// Why a filter is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no level, use error, warn, info, debug, trace or off, or a filter such as info,aws_config=debug"
)]
pub struct LevelError;

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// In the syntax of `tracing`'s filters.
    pub filter: String,
    /// One object or one line of text an event.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A JSON object.
    Json,
    /// Text for people.
    Text,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Json,
        }
    }
}

impl LogConfig {
    /// Reads both settings.
    pub fn read(reader: &mut Reader<'_>, level: Setting, form: Setting) -> Option<Self> {
        let filter = reader.parse(level, filter);
        let format = reader.parse(form, format);
        Some(Self {
            filter: filter?,
            format: format?,
        })
    }
}

/// Reads what is logged. A filter takes any word for the name of a module, so a misspelt level would be
/// accepted and silence everything.
pub fn filter(text: &str) -> Result<String, LevelError> {
    const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace", "off"];
    let is_level = |word: &str| LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
    for directive in text.split(',').map(str::trim) {
        let level = directive.rsplit('=').next().unwrap_or(directive);
        if !is_level(level) {
            return Err(LevelError);
        }
    }
    match text.parse::<tracing_subscriber::filter::Targets>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(LevelError),
    }
}

/// Reads the form of a log line.
pub fn format(text: &str) -> Result<LogFormat, ValueError> {
    match text {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err(ValueError::Choice {
            known: &["json", "text"],
        }),
    }
}
