//! The tokens: from the file that is named, or one that is made at the first start.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use settings::{Place, Problem};
use tracing::{info, warn};

use super::RunError;
use crate::auth::{Tokens, new_token};
use crate::config::{Config, TOKENS, setting};

/// Reads the tokens. Works on the disk.
pub(super) fn load(config: &Config) -> Result<Tokens, RunError> {
    match &config.tokens_file {
        Some(path) => read(path),
        None => {
            let path = config.state_dir.join(TOKENS);
            if !fs::exists(&path).unwrap_or(true) {
                make(&path).map_err(|source| RunError::Token {
                    path: path.clone(),
                    source,
                })?;
            }
            // Its place, not the token: the log goes elsewhere.
            info!(file = %path.display(), "clients need a token of this file");
            read(&path)
        }
    }
}

fn read(path: &Path) -> Result<Tokens, RunError> {
    let at_setting = |message: String| {
        Problem::new(
            Place::Setting(setting::TOKENS_FILE.name.to_owned()),
            message,
        )
    };
    let read = Tokens::read(path);
    let (tokens, mut problems, is_open) = read.map_err(|error| RunError::Tokens {
        problems: vec![at_setting(diagnostics::chain(&error))],
    })?;
    if tokens.is_empty() && problems.is_empty() {
        problems.push(at_setting("the file has no token".to_owned()));
    }
    if is_open {
        warn!(file = %path.display(), "others can read the tokens");
    }
    match problems.is_empty() {
        true => Ok(tokens),
        false => Err(RunError::Tokens { problems }),
    }
}

fn make(path: &Path) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new);
    file.and_then(|mut file| writeln!(file, "# role name token\nadmin admin {}", new_token()))?;
    fs::rename(&new, path)
}
